"""Draw a scene as a 256×256 picture (uint8, height × width × RGB)."""

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .palette import COLOURS, INK, role_colour, shade
from .shapes import SHAPES

SIZE = 256
PLACES = {
    "one": ((0.5, 0.51),),
    "two": ((0.27, 0.52), (0.73, 0.52)),
    "three": ((0.5, 0.27), (0.27, 0.73), (0.73, 0.73)),
    "four": ((0.27, 0.27), (0.73, 0.27), (0.27, 0.74), (0.73, 0.74)),
    "beside": ((0.27, 0.52), (0.73, 0.52)),
    "stacked": ((0.5, 0.27), (0.5, 0.74)),
}
RADIUS = {"one": 0.35, "two": 0.2, "three": 0.19, "four": 0.19, "beside": 0.2, "stacked": 0.2}


def draw(scene, random, look=None):
    """Draw a scene; look replaces its style by one of scene.EXTRA_LOOKS."""
    look = look or scene.style
    if look == "pixel":
        small = _paint(scene, random, look, 32)
        return np.asarray(small).repeat(SIZE // 32, 0).repeat(SIZE // 32, 1)
    return np.asarray(_paint(scene, random, look, SIZE * 2).reduce(2))


def _paint(scene, random, look, size):
    picture = _background("night" if look == "neon" else scene.background, random, size, look)
    places = PLACES[scene.layout]
    objects = scene.objects * len(places) if len(scene.objects) == 1 else scene.objects
    grow = random.uniform(0.9, 1.1)
    for (kind, colour), (x, y) in zip(objects, places):
        jitter = 0.05 if scene.layout == "one" else 0.025
        centre = (x + random.uniform(-jitter, jitter), y + random.uniform(-jitter, jitter))
        radius = RADIUS[scene.layout] * grow * random.uniform(0.96, 1.04)
        pose = _pose(random)
        parts = [(role, _place(points, centre, radius, pose) * size) for role, points in SHAPES[kind]]
        picture = _PAINTERS[look](picture, parts, _jittered(COLOURS[colour], random), size)
    return picture


def _pose(random):
    angle = math.radians(random.uniform(-7, 7))
    flip = random.choice((-1, 1))
    stretch = random.uniform(0.95, 1.05)
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c * flip * stretch, s * flip * stretch], [-s / stretch, c / stretch]])


def _place(points, centre, radius, pose):
    return points @ pose.T * radius + np.array(centre)


def _jittered(colour, random):
    light = random.randint(-7, 7)
    return tuple(min(255, max(0, c + light + random.randint(-4, 4))) for c in colour)


def _fill(pen, parts, colour):
    for role, points in parts:
        pen.polygon(_flat(points), fill=role_colour(role, colour))


def _flat(points):
    return points.ravel().tolist()


def _draw_flat(picture, parts, colour, size):
    _fill(ImageDraw.Draw(picture), parts, colour)
    return picture


def _outline(pen, points, ink, width):
    ring = np.concatenate([points, points[:2]])
    pen.line(_flat(ring), fill=ink, width=width, joint="curve")


def _draw_outlined(picture, parts, colour, size):
    pen = ImageDraw.Draw(picture)
    width = max(1, round(size * 0.026))
    ink = (96, 92, 104) if sum(colour) < 150 else INK
    for role, points in parts:
        if role in ("main", "dark", "light", "pale"):
            _outline(pen, points, ink, width)
    for role, points in parts:
        pen.polygon(_flat(points), fill=role_colour(role, colour))
        if role not in ("main", "ink"):
            _outline(pen, points, ink, max(1, width // 2))
    return picture


@lru_cache(maxsize=8)
def _slope(size):
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    return x * 0.55 + y * 0.85


def _draw_shaded(picture, parts, colour, size):
    """Light from the upper left: from a highlight to a third darker over the object's extent."""
    mask = Image.new("L", (size, size))
    pen = ImageDraw.Draw(mask)
    for _, points in parts:
        pen.polygon(_flat(points), fill=255)
    _fill(ImageDraw.Draw(picture), parts, colour)
    box = mask.getbbox()
    if box is None:
        return picture
    slope = _slope(size)[box[1]:box[3], box[0]:box[2]]
    ramp = (slope - slope.min()) / max(1e-3, float(slope.max() - slope.min()))
    dark = np.clip(ramp * 1.7 - 0.55, 0, 1) * 0.52
    light = np.clip(0.62 - ramp * 1.7, 0, 1) * 0.62
    area = picture.crop(box)
    mask = mask.crop(box)
    for tone, strength in (((0, 0, 0), dark), ((255, 255, 255), light)):
        weight = (np.asarray(mask) * strength).astype(np.uint8)
        area.paste(tone, (0, 0, area.width, area.height), Image.fromarray(weight))
    picture.paste(area, box[:2])
    return picture


def _draw_neon(picture, parts, colour, size):
    bright = shade(colour, 1.25) if sum(colour) > 150 else (200, 200, 220)
    glow = Image.new("RGB", (size // 4, size // 4))
    for _, points in parts:
        _outline(ImageDraw.Draw(glow), points / 4, bright, max(1, size // 120))
    glow = glow.filter(ImageFilter.GaussianBlur(size / 160)).resize((size, size))
    base = np.asarray(picture).astype(np.uint16) + np.asarray(glow)
    picture = Image.fromarray(np.minimum(base, 255).astype(np.uint8))
    for role, points in parts:
        _outline(ImageDraw.Draw(picture), points, bright, max(1, size // 64))
    return picture


def _pattern(picture, parts, colour, size, cells):
    _fill(ImageDraw.Draw(picture), parts, colour)
    mask = Image.new("L", (size, size))
    pen = ImageDraw.Draw(mask)
    for role, points in parts:
        pen.polygon(_flat(points), fill=255 if role in ("main", "dark", "light") else 0)
    picture.paste(role_colour("light", colour), (0, 0), Image.fromarray(np.asarray(mask) * cells))
    return picture


def _draw_striped(picture, parts, colour, size):
    y, x = np.mgrid[0:size, 0:size] * (1.0 / size)
    return _pattern(picture, parts, colour, size, ((x + y) * 11 % 1 < 0.45).astype(np.uint8))


def _draw_dotted(picture, parts, colour, size):
    y, x = np.mgrid[0:size, 0:size] * (10.0 / size)
    inside = (x % 1 - 0.5) ** 2 + (y % 1 - 0.5) ** 2 < 0.09
    return _pattern(picture, parts, colour, size, inside.astype(np.uint8))


def _draw_blueprint(picture, parts, colour, size):
    pen = ImageDraw.Draw(picture)
    for _, points in parts:
        _outline(pen, points, (236, 244, 252), max(1, size // 64))
    return picture


_PAINTERS = {
    "flat": _draw_flat,
    "outlined": _draw_outlined,
    "pixel": _draw_flat,
    "shaded": _draw_shaded,
    "neon": _draw_neon,
    "striped": _draw_striped,
    "dotted": _draw_dotted,
    "blueprint": _draw_blueprint,
}


def _background(name, random, size, look):
    if look == "blueprint":
        return Image.new("RGB", (size, size), (36, 78, 150))
    if name == "white":
        return Image.new("RGB", (size, size), (255, 255, 255))
    return _BACKGROUNDS[name](random, size)


def _gradient(size, top, bottom):
    ramp = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    column = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    return Image.fromarray(np.repeat(column[:, None].round().astype(np.uint8), size, 1))


def _oval(pen, x, y, rx, ry, size, fill):
    pen.ellipse(((x - rx) * size, (y - ry) * size, (x + rx) * size, (y + ry) * size), fill=fill)


def _sky(random, size):
    picture = _gradient(size, (126, 190, 246), (190, 226, 252))
    pen = ImageDraw.Draw(picture)
    for side in (0.16, 0.84):
        x, y = side + random.uniform(-0.06, 0.06), random.uniform(0.1, 0.2)
        for dx, r in ((-0.08, 0.05), (0, 0.075), (0.09, 0.055)):
            _oval(pen, x + dx, y, r * 1.25, r * 0.8, size, (250, 252, 255))
    return picture


def _night(random, size):
    picture = _gradient(size, (12, 16, 52), (34, 36, 92))
    pen = ImageDraw.Draw(picture)
    for column in range(3):
        for row in range(3):
            x, y = (column + random.uniform(0.2, 0.8)) / 3, (row + random.uniform(0.2, 0.8)) / 3
            _oval(pen, x, y, 0.014, 0.014, size, (246, 240, 200))
    return picture


def _grass(random, size):
    picture = _gradient(size, (160, 214, 250), (214, 238, 252))
    pen = ImageDraw.Draw(picture)
    horizon = random.uniform(0.6, 0.68)
    pen.rectangle((0, horizon * size, size, size), fill=(136, 204, 84))
    pen.rectangle((0, (horizon + 0.16) * size, size, size), fill=(112, 186, 70))
    return picture


def _sea(random, size):
    picture = _gradient(size, (176, 224, 240), (206, 238, 242))
    pen = ImageDraw.Draw(picture)
    horizon, phase = random.uniform(0.5, 0.58), random.uniform(0, 6.28)
    x = np.linspace(0, 1, 40)
    for depth, colour in ((0, (38, 140, 190)), (0.17, (24, 112, 168)), (0.32, (16, 88, 146))):
        y = horizon + depth + 0.014 * np.sin(x * 19 + phase + depth * 30)
        wave = np.concatenate([np.stack([x, y], 1), [[1, 1], [0, 1]]]) * size
        pen.polygon(_flat(wave), fill=colour)
    return picture


def _sunset(random, size):
    picture = _gradient(size, (250, 150, 96), (255, 214, 140))
    pen = ImageDraw.Draw(picture)
    x, horizon = random.uniform(0.15, 0.85), random.uniform(0.76, 0.82)
    _oval(pen, x, horizon, 0.15, 0.15, size, (255, 238, 176))
    pen.rectangle((0, horizon * size, size, size), fill=(122, 60, 92))
    return picture


_BACKGROUNDS = {"sky": _sky, "night": _night, "grass": _grass, "sea": _sea, "sunset": _sunset}
