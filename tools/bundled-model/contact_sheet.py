"""Lay out pictures of the project's own server on one sheet, seeds in order and unpicked.

    python contact_sheet.py --model ../../models/latentd-tiny --to ../../models/latentd-tiny/contact-sheet.jpg
    python contact_sheet.py --model … --to variety.png --prompt "a red heart" --each 10
    python contact_sheet.py --model … --to ../../docs/images/first-pictures.jpg --readme
"""

import argparse
import time

from PIL import Image, ImageDraw

from common import seed_all
from server_pictures import PictureServer
from world.captions import caption
from world.scene import Mix, sample_scene

README = ("a red heart", "a blue fish in the sea", "a yellow star at night", "a green tree on the grass",
          "a purple balloon in the sky", "an orange cat", "two red mushrooms on grass", "a white boat at sunset")


def sheet(pictures, texts, columns=8, cell=160, letters=10):
    """The pictures in rows, each with its prompt under it, in at most two lines."""
    lines = 1 if max(map(len, texts)) < 27 else 2
    foot = lines * (letters + 3) + 4
    rows = -(-len(pictures) // columns)
    out = Image.new("RGB", (columns * cell, rows * (cell + foot)), (255, 255, 255))
    pen = ImageDraw.Draw(out)
    for i, (picture, text) in enumerate(zip(pictures, texts)):
        x, y = i % columns * cell, i // columns * (cell + foot)
        out.paste(Image.fromarray(picture).resize((cell - 4, cell - 4), Image.LANCZOS), (x + 2, y))
        cut = text.rfind(" ", 0, 29) if len(text) > 28 else len(text)
        written = text[:cut] + "\n" + text[cut + 1:][:30]
        pen.text((x + 3, y + cell - 4), written, fill=(40, 40, 40), font_size=letters, spacing=1)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a folder in diffusers layout")
    parser.add_argument("--to", required=True)
    parser.add_argument("--prompt", action="append", help="instead of held-out captions; may be given often")
    parser.add_argument("--each", type=int, default=1, help="pictures of each prompt")
    parser.add_argument("--readme", action="store_true", help="the README's eight prompts, seeds 1 to 8")
    parser.add_argument("--count", type=int, default=64, help="held-out captions")
    parser.add_argument("--negative", help="negative prompt of all")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--seed", type=int, default=1, help="of the first picture")
    options = parser.parse_args()
    random = seed_all(77)
    prompts = list(README) if options.readme else [p for p in options.prompt or () for _ in range(options.each)]
    if not prompts:
        scenes = [sample_scene(random, Mix(), held_out=True) for _ in range(options.count)]
        prompts = [caption(scene, random, full=True).text for scene in scenes]
    negatives = [options.negative] * len(prompts) if options.negative else None
    with PictureServer(options.model) as server:
        start = time.time()
        pictures = server.pictures(prompts, options.seed, negatives, width=options.width, height=options.height)
        print(f"{(time.time() - start) / len(pictures):.2f} s a picture")
    layout = {"columns": 4, "cell": 196, "letters": 12} if options.readme else {"columns": min(8, len(prompts))}
    sheet(pictures, prompts, **layout).save(options.to, quality=74 if options.to.endswith(".jpg") else None)


if __name__ == "__main__":
    main()
