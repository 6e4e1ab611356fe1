"""Measure a model's folder: held-out combinations, pictures by the project's own server, judged by the detector.

    python evaluate.py --model ../../models/latentd-tiny --count 500
    python evaluate.py --model ../../models/latentd-tiny --negatives --count 100
    python evaluate.py --reconstructions --count 500      # the autoencoder's gate: drawings through it and back
"""

import argparse
import math
from dataclasses import replace

import numpy as np
import torch

from cache_latents import latents_of, load_vae
from common import device, seed_all
from server_pictures import PictureServer
from train_detector import load_detector, read, targets_of
from world.captions import caption
from world.draw import draw
from world.scene import COUNTS, DETAILS, PAIRS, SINGLE, Mix, sample_scene

GROUPS = {"one object": SINGLE, "two to four of the same": COUNTS, "two different objects": PAIRS}
ATTRIBUTES = ("layout", "kind", "colour", "background", "detail", "style", "well-formed")
STEPS, GUIDANCE, FIRST_SEED = 20, 5.0, 1000


def judge(detector, pictures, scenes, unsaid=None):
    """Per picture and thing said, whether it is right; what a caption leaves open is right."""
    found = read(detector, pictures, targets_of(scenes))
    if unsaid:
        found["detail"] |= torch.tensor(["detail" in names for names in unsaid])
    found["everything"] = torch.stack([found[name] for name in ATTRIBUTES]).all(0)
    return found


def row(name, found):
    """A line of the table: the share with everything right with its standard error, and how often each thing is wrong."""
    count = len(found["everything"])
    share = found["everything"].float().mean().item()
    error = math.sqrt(max(share * (1 - share), 0.25 / count) / count)
    wrong = " | ".join(f"{100 * (1 - found[a].float().mean().item()):.1f}" for a in ATTRIBUTES)
    return f"| {name} | {count} | {100 * share:.1f} ± {100 * error:.1f} | {wrong} |"


def print_table(rows):
    """The table as the model card has it; ± is one standard error."""
    print(f"| captions | pictures | everything right, % | {' | '.join(f'wrong: {a}' for a in ATTRIBUTES)} |")
    print("|---" * (3 + len(ATTRIBUTES)) + "|")
    print("\n".join(rows), flush=True)


def held_out(random, count, layouts):
    """Scenes never drawn in training, with captions that name every kind and colour."""
    scenes = [sample_scene(random, Mix(), held_out=True, layouts=layouts) for _ in range(count)]
    return scenes, [caption(scene, random, full=True) for scene in scenes]


def measure(options, detector, random):
    """A third of the captions from each group, one picture each."""
    rows, parts = [], []
    with PictureServer(options.model) as server:
        for group, layouts in GROUPS.items():
            count = (options.count + len(parts)) // len(GROUPS)
            scenes, captions = held_out(random, count, layouts)
            pictures = server.pictures([c.text for c in captions], FIRST_SEED * (1 + len(parts)), steps=options.steps,
                                       CFGScale=options.guidance, width=options.width, height=options.height)
            parts.append(judge(detector, pictures, scenes, [c.unsaid for c in captions]))
            rows.append(row(group, parts[-1]))
            print(rows[-1], flush=True)
    rows.append(row("all", {name: torch.cat([p[name] for p in parts]) for name in parts[0]}))
    print_table(rows)


def negatives(options, detector, random):
    """Captions that leave the background's detail open, without and with a negative prompt that names it."""
    wanted = []
    while len(wanted) < options.count:
        scene = replace(sample_scene(random, Mix(), held_out=True, layouts=SINGLE), detail=False)
        said = caption(scene, random, full=True)
        if scene.background in DETAILS and "detail" in said.unsaid and DETAILS[scene.background] != scene.objects[0][0]:
            wanted.append((scene, said.text))
    scenes = [scene for scene, _ in wanted]
    prompts, details = [text for _, text in wanted], [DETAILS[scene.background] for scene in scenes]
    with PictureServer(options.model) as server:
        pictures = {name: server.pictures(prompts, FIRST_SEED, named, steps=options.steps, CFGScale=options.guidance)
                    for name, named in (("without", None), ("with", details))}
    for name, made in pictures.items():
        gone = judge(detector, made, scenes)["detail"].float().mean().item()
        print(f"{name} the negative prompt, {len(made)} pictures: no such detail in {100 * gone:.1f} %")


def reconstructions(options, detector, random):
    """Held-out drawings, and the same through the autoencoder."""
    vae = load_vae()
    scenes = [sample_scene(random, Mix(), held_out=True) for _ in range(options.count)]
    drawn = [draw(scene, random, None, options.width, options.height) for scene in scenes]
    decoded = []
    for start in range(0, len(drawn), 16):
        with torch.no_grad():
            y = vae.decode(latents_of(vae, torch.from_numpy(np.stack(drawn[start:start + 16]))).float().to(device())).sample
        decoded += list(((y.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    judged = {name: judge(detector, pictures, scenes) for name, pictures in (("drawings", drawn), ("decoded", decoded))}
    both = {name: judged["decoded"][name] | ~judged["drawings"]["everything"] for name in judged["decoded"]}
    print_table([row(name, found) for name, found in judged.items()])
    kept = both["everything"].float().mean() if len(drawn) else 0
    print(f"right drawings that are right after the autoencoder, or were not before: {100 * kept:.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a folder in diffusers layout")
    parser.add_argument("--reconstructions", action="store_true")
    parser.add_argument("--negatives", action="store_true", help="what a negative prompt does to clouds, stars, waves, sun")
    parser.add_argument("--count", type=int, default=500, help="pictures in all")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    options = parser.parse_args()
    run = reconstructions if options.reconstructions else negatives if options.negatives else measure
    run(options, load_detector(), seed_all(91))


if __name__ == "__main__":
    main()
