"""Make the pictures of the pages on modes in docs/, and what their examples send, by the project's own server.

    python docs_pictures.py --models ../../models --to ../../docs/images
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw

from contact_sheet import sheet
from edges import as_guide, edges
from server_pictures import PictureServer, data_uri

SEED = 4


def add_ons(server, folder):
    """One prompt and seed alone and with each add-on; then one under the edges of another picture."""
    house = server.picture("a red house", SEED)
    guide = as_guide(edges(house))
    guide.save(f"{folder}/edges-guide.png", optimize=True)
    told = [
        ("a red house", house),
        ("lora neon", server.picture("a red house", SEED, lora=[{"model": "latentd:neon@1"}])),
        ("lora striped", server.picture("a red house", SEED, lora=[{"model": "latentd:striped@1"}])),
        ("a red house, <blueprint>", server.picture("a red house, <blueprint>", SEED, embeddings=[{"model": "latentd:blueprint@1"}])),
        ("guideImage (edges of the first)", np.asarray(guide)),
        ("a purple house at sunset, guided", server.picture(
            "a purple house at sunset", SEED, controlNet=[{"model": "latentd:edges@1", "guideImage": data_uri(guide)}])),
    ]
    save(told, f"{folder}/add-ons.jpg", 3)


def inpainting(server, folder):
    """A thing of a picture is painted anew as another; what lies around it stays."""
    seed = Image.fromarray(server.picture("a white boat on the waves", SEED))
    mask = Image.new("L", seed.size)
    ImageDraw.Draw(mask).ellipse((24, 20, 232, 236), fill=255)
    seed.save(f"{folder}/inpainting-seed.png", optimize=True)
    mask.save(f"{folder}/inpainting-mask.png", optimize=True)
    picture = server.picture("an orange fish on the waves", SEED, seedImage=data_uri(seed), maskImage=data_uri(mask), strength=1)
    save([("seedImage", np.asarray(seed)), ("maskImage", np.asarray(mask.convert("RGB"))), ("an orange fish on the waves", picture)],
         f"{folder}/inpainting.jpg", 3)


def save(told, path, columns):
    """The pictures on one sheet, each with its text."""
    sheet([picture for _, picture in told], [text for text, _ in told], columns, cell=196, letters=12).save(path, quality=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", required=True, help="a models folder that has the bundled set")
    parser.add_argument("--to", required=True, help="the pictures' folder")
    options = parser.parse_args()
    with PictureServer(options.models) as server:
        add_ons(server, options.to)
        inpainting(server, options.to)


if __name__ == "__main__":
    main()
