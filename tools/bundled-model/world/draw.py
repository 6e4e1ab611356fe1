"""Draw a scene as a picture (uint8, height × width × RGB)."""

import math

import numpy as np
from PIL import Image

from .backgrounds import background
from .looks import PAINTERS
from .palette import COLOURS
from .scene import COMBINED_LOOKS, in_look
from .shapes import SHAPES

SIZE = 256
BLOCK = 8
PLACES = {
    "one": ((0.5, 0.51),),
    "two": ((0.27, 0.52), (0.73, 0.52)),
    "three": ((0.5, 0.27), (0.27, 0.73), (0.73, 0.73)),
    "four": ((0.27, 0.27), (0.73, 0.27), (0.27, 0.74), (0.73, 0.74)),
    "beside": ((0.27, 0.52), (0.73, 0.52)),
    "stacked": ((0.5, 0.27), (0.5, 0.74)),
}
# Half an object's extent, as a share of the picture's shorter side.
RADIUS = {"one": 0.35, "two": 0.2, "three": 0.19, "four": 0.19, "beside": 0.2, "stacked": 0.2}


def draw(scene, random, look=None, width=SIZE, height=SIZE):
    """Draw a scene; look replaces its style by one of scene.EXTRA_LOOKS or COMBINED_LOOKS. Pixels are blocks on the latent grid."""
    if look in COMBINED_LOOKS:
        scene, look = in_look(scene, look), None
    look = look or scene.style
    if look == "pixel":
        small = _paint(scene, random, look, width // BLOCK, height // BLOCK)
        return np.asarray(small).repeat(BLOCK, 0).repeat(BLOCK, 1)
    return np.asarray(_paint(scene, random, look, width * 2, height * 2).reduce(2))


def _paint(scene, random, look, width, height):
    if look == "blueprint":
        picture = Image.new("RGB", (width, height), (36, 78, 150))
    else:
        picture = background("night" if look == "neon" else scene.background, scene.detail, random, width, height)
    places = PLACES[scene.layout]
    objects = scene.objects * len(places) if len(scene.objects) == 1 else scene.objects
    unit = min(width, height)
    grow = random.uniform(0.84, 1.1)
    jitter = 0.075 if scene.layout == "one" else 0.028
    for (kind, colour), (x, y) in zip(objects, places):
        centre = np.array([x + random.uniform(-jitter, jitter), y + random.uniform(-jitter, jitter)]) * (width, height)
        turned = _pose(random) * (RADIUS[scene.layout] * grow * random.uniform(0.96, 1.04) * unit)
        parts = [(role, points @ turned.T + centre) for role, points in SHAPES[kind]]
        picture = PAINTERS[look](picture, parts, _jittered(COLOURS[colour], random), unit)
    return picture


def _pose(random):
    angle = math.radians(random.uniform(-8, 8))
    flip = random.choice((-1, 1))
    stretch = random.uniform(0.94, 1.06)
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c * flip * stretch, s * flip * stretch], [-s / stretch, c / stretch]])


def _jittered(colour, random):
    light = random.randint(-7, 7)
    return tuple(min(255, max(0, c + light + random.randint(-4, 4))) for c in colour)
