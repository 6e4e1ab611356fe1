"""Train the judge of the add-ons: the detector, which goes on to tell the looks that only LoRAs bring from the styles.

    python train_look_detector.py --minutes 6
"""

import argparse

import torch

from common import device, launch, load, seed_all
from train_detector import GLOBAL, HELD_OUT, MIX, Detector, Drawn, as_input, fit, read, targets_of
from world.draw import draw
from world.scene import BACKGROUNDS, SIZES, STYLES, sample_scene

# Those of the EXTRA_LOOKS that a LoRA brings.
LORA_LOOKS = ("neon", "striped")
LOOKS = (*STYLES, *LORA_LOOKS)
# A class of which nothing is asked.
UNASKED = -100


class LookDetector(Detector):
    """The detector with a class for each look in the head for styles."""

    def __init__(self):
        super().__init__()
        self.to_global["style"] = torch.nn.Linear(self.to_global["style"].in_features, len(LOOKS))


def look_targets(scenes, looks):
    """As targets_of, for pictures in these looks."""
    whole, regions = targets_of(scenes)
    for row, look in zip(whole, looks):
        row[GLOBAL.index("style")] = LOOKS.index(look)
        if look == "neon":
            row[GLOBAL.index("background")] = BACKGROUNDS.index("night")
            row[GLOBAL.index("detail")] = UNASKED
    return whole, regions


def drawings(random, count, held_out=False):
    """Fresh drawings of several sizes, half of them in looks of add-ons, with their classes."""
    scenes = [sample_scene(random, MIX, held_out) for _ in range(count)]
    looks = [random.choice(LORA_LOOKS) if random.random() < 0.5 else scene.style for scene in scenes]
    sizes = random.choices(list(SIZES), SIZES.values(), k=count)
    pictures = [draw(s, random, look, *size) for s, look, size in zip(scenes, looks, sizes)]
    return as_input(pictures), *look_targets(scenes, looks)


def train(rank, world, options):
    random = seed_all(67, rank)
    model = LookDetector()
    known = load("looks.pt" if options.resume else "detector.pt")
    if not options.resume:
        for name in ("to_global.style.weight", "to_global.style.bias"):
            wider = model.state_dict()[name].clone()
            wider[:len(STYLES)] = known[name][:len(STYLES)]
            known[name] = wider
    model.load_state_dict(known)
    fit(model.to(device()), Drawn(options.batch, rank, drawings), "looks.pt", rank, world, options)
    if rank == 0:
        report(model.eval(), random)


def report(model, random):
    """Print how often the judge is right about drawings of each look whose combination it never saw."""
    for look in LOOKS:
        scenes = [sample_scene(random, MIX, held_out=True) for _ in range(HELD_OUT // len(LOOKS))]
        found = read(model, [draw(scene, random, look) for scene in scenes], look_targets(scenes, [look] * len(scenes)))
        print(f"{look}, {len(scenes)} held-out drawings:", " ".join(f"{k} {v.float().mean():.3f}" for k, v in found.items()))


def load_look_detector():
    """The trained judge."""
    model = LookDetector()
    model.load_state_dict(load("looks.pt"))
    return model.to(device()).eval()


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--batch", type=int, default=64, help="pictures a process, a quarter of them new")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.6, help="factor of the learning rates")
    parser.add_argument("--resume", action="store_true", help="go on with looks.pt, else from detector.pt")
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
