"""A scene says what is on a picture; sampling one draws from the training distribution."""

from dataclasses import dataclass

from .palette import COLOUR_NAMES
from .shapes import KIND_NAMES

BACKGROUNDS = ("white", "sky", "night", "grass", "sea", "sunset")
STYLES = ("flat", "outlined", "pixel", "shaded")
LAYOUTS = ("one", "two", "three", "four", "beside", "stacked")
# Looks that only the autoencoder sees, so that later adapters can be taught them.
EXTRA_LOOKS = ("neon", "striped", "dotted", "blueprint")

# A colour that vanishes on a background is never asked for there.
UNSEEN = {("white", "white"), ("black", "night")}


@dataclass(frozen=True)
class Scene:
    """One picture. objects holds one (kind, colour), or two for a pair: left first, or top first."""

    layout: str
    objects: tuple
    background: str
    style: str


@dataclass(frozen=True)
class Mix:
    """Shares of the training distribution."""

    counts: float = 0.17
    pairs: float = 0.06
    styles: tuple = (0.56, 0.18, 0.10, 0.16)
    white: float = 0.30


def is_held_out(scene):
    """True for the one combination in twenty that is never drawn in training."""
    key = 7 * BACKGROUNDS.index(scene.background)
    for place, (kind, colour) in enumerate(scene.objects):
        key += (1 + 4 * place) * KIND_NAMES.index(kind) + (3 + 8 * place) * COLOUR_NAMES.index(colour)
    return key % 20 == 11


def sample_scene(random, mix=Mix(), held_out=False, layouts=None):
    """Draw a scene, from the held-out combinations or from all the others."""
    while True:
        scene = _sample_any(random, mix, layouts)
        if is_held_out(scene) == held_out:
            return scene


def _sample_any(random, mix, layouts):
    if layouts is None:
        draw = random.random()
        layouts = LAYOUTS[4:] if draw < mix.pairs else LAYOUTS[1:4] if draw < mix.pairs + mix.counts else LAYOUTS[:1]
    layout = random.choice(layouts)
    background = "white" if random.random() < mix.white else random.choice(BACKGROUNDS[1:])
    colours = [c for c in COLOUR_NAMES if (c, background) not in UNSEEN]
    style = random.choices(STYLES, mix.styles)[0]
    if layout in LAYOUTS[4:]:
        kinds = random.sample(KIND_NAMES, 2)
        objects = tuple(zip(kinds, random.sample(colours, 2)))
    else:
        objects = ((random.choice(KIND_NAMES), random.choice(colours)),)
    return Scene(layout, objects, background, style)
