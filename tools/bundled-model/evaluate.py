"""Measure the shipped folder: captions of held-out combinations, judged by the detector.

    python evaluate.py --model ../../models/latentd-tiny --count 64
    python evaluate.py --reconstructions        # the autoencoder's gate: drawings through it and back
"""

import argparse

import numpy as np
import torch

from cache_latents import latents_of, load_frozen
from common import device, seed_all
from contact_sheet import load_pipeline, make
from train_detector import HEADS, load_detector, read
from train_text_encoder import labels
from world.captions import caption
from world.draw import draw
from world.scene import LAYOUTS, Mix, sample_scene

GROUPS = {"single": LAYOUTS[:1], "counts": LAYOUTS[1:4], "pairs": LAYOUTS[4:]}


def score(detector, pictures, scenes):
    """Print the share of each label right, of all labels right, and of all right and not junk."""
    found, junk = read(detector, pictures)
    hits = found.cpu() == torch.tensor([labels(scene) for scene in scenes])
    everything = hits.all(1)
    parts = " ".join(f"{name} {hits[:, i].float().mean():.2f}" for i, name in enumerate(HEADS))
    print(f"  {len(scenes)} pictures: {parts}")
    print(f"  everything right {everything.float().mean():.3f}, and well-formed "
          f"{(everything & (junk.cpu() < 0.5)).float().mean():.3f}", flush=True)


def reconstructions(detector, random, count):
    """Held-out drawings through the autoencoder."""
    vae = load_frozen()[0]
    scenes = [sample_scene(random, Mix(counts=0.3, pairs=0.2), held_out=True) for _ in range(count)]
    drawings = [draw(scene, random) for scene in scenes]
    out = []
    for start in range(0, count, 16):
        with torch.no_grad():
            y = vae.decode(latents_of(vae, drawings[start:start + 16]).float().to(device())).sample
        out += list(((y.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
    for name, pictures in (("drawings", drawings), ("reconstructions", out)):
        print(name)
        score(detector, pictures, scenes)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--reconstructions", action="store_true")
    parser.add_argument("--groups", default="single,counts,pairs")
    parser.add_argument("--count", type=int, default=64, help="pictures of each group")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    options = parser.parse_args()
    detector, random = load_detector(), seed_all(91)
    if options.reconstructions:
        reconstructions(detector, random, options.count)
        return
    pipeline = load_pipeline(options.model)
    for group in options.groups.split(","):
        scenes = [sample_scene(random, Mix(), held_out=True, layouts=GROUPS[group]) for _ in range(options.count)]
        pictures = make(pipeline, [caption(s, random) for s in scenes], 1000, options.steps, options.guidance)
        print(group)
        score(detector, [np.asarray(p) for p in pictures], scenes)


if __name__ == "__main__":
    main()
