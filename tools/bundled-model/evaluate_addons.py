"""Measure the add-ons: the same captions and seeds without and with each of them, pictures by the project's own server.

Captions are of combinations never drawn in training. Looks, kinds and colours are told by the judge of
train_look_detector.py; how well edges are followed is told from the picture's own edges.

    python evaluate_addons.py --models ../../models --count 60
    python evaluate_addons.py --models ../../models --only edges
"""

import argparse
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from common import seed_all
from edges import as_guide, edges
from evaluate import FIRST_SEED
from server_pictures import PictureServer, data_uri
from train_detector import read
from train_look_detector import load_look_detector, look_targets
from world.captions import caption
from world.draw import draw
from world.palette import COLOUR_NAMES
from world.scene import COMBINED_LOOKS, COUNTS, SINGLE, UNSEEN, Mix, in_look, sample_scene

# What a task says to use each add-on that brings a look.
LOOKS = {
    "neon": {"lora": [{"model": "latentd:neon@1"}]},
    "striped": {"lora": [{"model": "latentd:striped@1"}]},
    "arcade": {"embeddings": [{"model": "latentd:arcade@1"}]},
}
CONTROL = "latentd:edges@1"
TOLD = ("style", "background", "kind", "colour", "layout", "well-formed")
NEAR = 2


def look(server, judge, random, name, count):
    """How often pictures have a look, and the rest of what their captions say, without and with its add-on."""
    flat = Mix(styles=(1, 0, 0, 0))
    scenes = [sample_scene(random, flat, held_out=True, layouts=SINGLE + COUNTS) for _ in range(count)]
    combined = name in COMBINED_LOOKS
    said = [caption(scene, random, full=True, bare=combined).text for scene in scenes]
    named = [f"{text.rstrip('.!')}, <{name}>" for text in said] if combined else said
    drawn = [in_look(scene, name) for scene in scenes] if combined else scenes
    targets = look_targets(drawn, [scene.style if combined else name for scene in drawn])
    parameters = LOOKS[name]
    for title, prompts, more in (("without", said, {}), ("with", named, parameters)):
        found = read(judge, server.pictures(prompts, FIRST_SEED, **more), targets)
        row(name, title, count, found)


def row(name, title, count, found, *more):
    """A line of the table: how often each thing is told from the pictures."""
    shares = [f"{100 * found[told].float().mean().item():.0f}" for told in TOLD]
    print("| " + " | ".join((name, title, str(count), *shares, *more)) + " |", flush=True)


def recoloured(scene, random):
    """The scene in other colours."""
    def other(colour):
        return random.choice([c for c in COLOUR_NAMES if c != colour and (c, scene.background) not in UNSEEN])

    return replace(scene, objects=tuple((kind, other(colour)) for kind, colour in scene.objects))


def widened(lines):
    """All pixels that lie near a line."""
    return np.asarray(Image.fromarray(lines).convert("L").filter(ImageFilter.MaxFilter(2 * NEAR + 1))) > 0


def agreement(lines, picture):
    """F1 of a picture's edges against lines: an edge is right where a line is near, a line is found where an edge is near."""
    own = edges(picture)
    right = (own & widened(lines)).sum() / max(1, own.sum())
    found = (lines & widened(own)).sum() / max(1, lines.sum())
    return 2 * right * found / max(1e-9, right + found)


def control(server, judge, random, count):
    """How well the edges of a drawing are followed whose colours the caption changes, without and with the ControlNet."""
    scenes = [sample_scene(random, Mix(), held_out=True) for _ in range(count)]
    lines = [edges(draw(recoloured(scene, random), random)) for scene in scenes]
    said = [caption(scene, random, full=True).text for scene in scenes]
    each = [{"controlNet": [{"model": CONTROL, "guideImage": data_uri(as_guide(drawn))}]} for drawn in lines]
    targets = look_targets(scenes, [scene.style for scene in scenes])
    for title, more in (("without", {}), ("with", {"each": each})):
        pictures = server.pictures(said, FIRST_SEED, **more)
        followed = np.mean([agreement(drawn, picture) for drawn, picture in zip(lines, pictures)])
        row("edges", title, count, read(judge, pictures, targets), f"{100 * followed:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", required=True, help="a models folder that has the bundled set")
    parser.add_argument("--only", nargs="+", choices=(*LOOKS, "edges"), default=[*LOOKS, "edges"])
    parser.add_argument("--count", type=int, default=60, help="pictures of each kind")
    options = parser.parse_args()
    judge = load_look_detector()
    print(f"| add-on | | pictures | {' | '.join(TOLD)} | edges followed |")
    print("|---" * (4 + len(TOLD)) + "|")
    with PictureServer(options.models) as server:
        for name in options.only:
            if name == "edges":
                control(server, judge, seed_all(95), options.count)
            else:
                look(server, judge, seed_all(93), name, options.count)


if __name__ == "__main__":
    main()
