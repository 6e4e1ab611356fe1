"""Make pictures with the shipped folder and lay them out on one sheet, seeds in order and unpicked.

    python contact_sheet.py --model ../../models/latentd-tiny --to ../../models/latentd-tiny/contact-sheet.jpg
    python contact_sheet.py --model … --to sheet.png --prompt "a red heart" --count 4
"""

import argparse
import time

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw

from common import device, seed_all
from world.captions import caption
from world.scene import Mix, sample_scene


def load_pipeline(folder):
    """The shipped folder, as anyone would load it."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None).to(device())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make(pipeline, prompts, first_seed, steps=20, guidance=5.0, size=256, batch=8):
    """One picture a prompt; picture i uses the seed first_seed + i, whatever the batch."""
    pictures = []
    for start in range(0, len(prompts), batch):
        part = prompts[start:start + batch]
        seeds = [torch.Generator().manual_seed(first_seed + start + i) for i in range(len(part))]
        pictures += pipeline(part, num_inference_steps=steps, guidance_scale=guidance, generator=seeds,
                             width=size, height=size).images
    return pictures


def sheet(pictures, texts, columns=8, cell=160):
    """The pictures in rows, each with its prompt under it."""
    rows = -(-len(pictures) // columns)
    out = Image.new("RGB", (columns * cell, rows * (cell + 26)), (255, 255, 255))
    pen = ImageDraw.Draw(out)
    for i, (picture, text) in enumerate(zip(pictures, texts)):
        x, y = i % columns * cell, i // columns * (cell + 26)
        out.paste(picture.resize((cell - 4, cell - 4), Image.LANCZOS), (x + 2, y))
        cut = text.rfind(" ", 0, 27) if len(text) > 26 else len(text)
        pen.text((x + 3, y + cell - 4), text[:cut] + "\n" + text[cut + 1:][:27], fill=(40, 40, 40), font_size=10, spacing=1)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--to", required=True)
    parser.add_argument("--prompt", action="append", help="instead of held-out captions; may be given often")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = seed_all(77)
    scenes = [sample_scene(random, Mix(), held_out=True) for _ in range(options.count)]
    prompts = [p for p in options.prompt for _ in range(options.count)] if options.prompt else [
        caption(scene, random) for scene in scenes]
    start = time.time()
    pictures = make(load_pipeline(options.model), prompts, options.seed, options.steps, options.guidance)
    print(f"{(time.time() - start) / len(pictures):.2f} s a picture")
    sheet(pictures, prompts).save(options.to, quality=72)


if __name__ == "__main__":
    main()
