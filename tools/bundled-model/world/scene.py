"""A scene says what is on a picture; sampling one draws from the training distribution."""

from dataclasses import dataclass, replace

from .palette import COLOUR_NAMES
from .shapes import KIND_NAMES

BACKGROUNDS = ("white", "sky", "night", "grass", "sea", "sunset")
STYLES = ("flat", "outlined", "pixel", "shaded")
LAYOUTS = ("one", "two", "three", "four", "beside", "stacked")
SINGLE, COUNTS, PAIRS = LAYOUTS[:1], LAYOUTS[1:4], LAYOUTS[4:]
# What a background may have or lack, so that "without" and negative prompts mean something.
DETAILS = {"sky": "clouds", "night": "stars", "sea": "waves", "sunset": "sun"}
# Looks that only the autoencoder sees, so that later adapters can be taught them.
EXTRA_LOOKS = ("neon", "striped", "dotted", "blueprint")
# Looks that are a style on a background, so that an embedding can name both in one word.
COMBINED_LOOKS = {"arcade": ("pixel", "sunset")}
# Width and height of the pictures in training, with their shares.
SIZES = {(256, 256): 0.76, (128, 128): 0.02, (192, 192): 0.04, (320, 320): 0.04, (384, 256): 0.04, (256, 384): 0.04,
         (384, 384): 0.02, (512, 320): 0.01, (320, 512): 0.01, (512, 512): 0.02}

# A colour that vanishes on a background is never asked for there.
UNSEEN = {("white", "white"), ("black", "night")}


@dataclass(frozen=True)
class Scene:
    """One picture. objects holds one (kind, colour), or two for a pair: left first, or top first.

    detail says whether the background has what DETAILS names; False where it names nothing.
    """

    layout: str
    objects: tuple
    background: str
    style: str
    detail: bool = False


@dataclass(frozen=True)
class Mix:
    """Shares of the training distribution."""

    counts: float = 0.25
    pairs: float = 0.32
    styles: tuple = (0.52, 0.18, 0.12, 0.18)
    white: float = 0.25


def is_held_out(scene):
    """True for the one combination in twenty that is never drawn in training."""
    key = 7 * BACKGROUNDS.index(scene.background)
    for place, (kind, colour) in enumerate(scene.objects):
        key += (1 + 4 * place) * KIND_NAMES.index(kind) + (3 + 8 * place) * COLOUR_NAMES.index(colour)
    return key % 20 == 11


def in_look(scene, look):
    """The scene as a combined look has it."""
    style, background = COMBINED_LOOKS[look]
    return replace(scene, style=style, background=background)


def sample_scene(random, mix=Mix(), held_out=False, layouts=None):
    """Draw a scene, from the held-out combinations or from all the others."""
    while True:
        scene = _sample_any(random, mix, layouts)
        if is_held_out(scene) == held_out:
            return scene


def _sample_any(random, mix, layouts):
    if layouts is None:
        draw = random.random()
        layouts = PAIRS if draw < mix.pairs else COUNTS if draw < mix.pairs + mix.counts else SINGLE
    layout = random.choice(layouts)
    background = "white" if random.random() < mix.white else random.choice(BACKGROUNDS[1:])
    colours = [c for c in COLOUR_NAMES if (c, background) not in UNSEEN]
    style = random.choices(STYLES, mix.styles)[0]
    if layout in PAIRS:
        kinds = random.sample(KIND_NAMES, 2)
        objects = tuple(zip(kinds, random.sample(colours, 2)))
    else:
        objects = ((random.choice(KIND_NAMES), random.choice(colours)),)
    return Scene(layout, objects, background, style, background in DETAILS and random.random() < 0.6)
