"""A quick look at a model's folder through diffusers, where the server does not run; figures are evaluate.py's.

    python samples.py --model ../../models/latentd-tiny --to samples.png
"""

import argparse

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from common import device, seed_all
from contact_sheet import sheet
from world.captions import caption
from world.scene import Mix, sample_scene


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--count", type=int, default=64)
    options = parser.parse_args()
    pipeline = StableDiffusionPipeline.from_pretrained(options.model, safety_checker=None).to(device())
    random = seed_all(77)
    prompts = [caption(sample_scene(random, Mix(), held_out=True), random, full=True).text for _ in range(options.count)]
    seeds = [torch.Generator().manual_seed(1 + i) for i in range(options.count)]
    pictures = []
    for start in range(0, options.count, 16):
        part = slice(start, start + 16)
        pictures += pipeline(prompts[part], num_inference_steps=20, guidance_scale=5.0, generator=seeds[part],
                             width=256, height=256).images
    sheet([np.asarray(p) for p in pictures], prompts).save(options.to)


if __name__ == "__main__":
    main()
