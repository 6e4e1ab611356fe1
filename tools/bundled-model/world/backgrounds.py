"""What stands behind the objects, each with its detail (scene.DETAILS) or without."""

import numpy as np
from PIL import Image, ImageDraw


def background(name, detail, random, width, height):
    """A fresh background of that size."""
    if name == "white":
        return Image.new("RGB", (width, height), (255, 255, 255))
    top, bottom = _TONES[name]
    picture = _gradient(width, height, top, bottom)
    _PAINTERS[name](ImageDraw.Draw(picture), detail, random, width, height)
    return picture


def _gradient(width, height, top, bottom):
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    column = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    return Image.fromarray(np.repeat(column[:, None].round().astype(np.uint8), width, 1))


def _oval(pen, x, y, rx, ry, fill):
    pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill)


def _sky(pen, clouds, random, width, height):
    unit = min(width, height)
    for side in (0.16, 0.84) if clouds else ():
        x, y = (side + random.uniform(-0.06, 0.06)) * width, random.uniform(0.1, 0.2) * height
        for dx, r in ((-0.08, 0.05), (0, 0.075), (0.09, 0.055)):
            _oval(pen, x + dx * unit, y, r * 1.25 * unit, r * 0.8 * unit, (250, 252, 255))


def _night(pen, stars, random, width, height):
    radius = 0.014 * min(width, height)
    for column in range(3 if stars else 0):
        for row in range(3):
            x, y = (column + random.uniform(0.2, 0.8)) / 3, (row + random.uniform(0.2, 0.8)) / 3
            _oval(pen, x * width, y * height, radius, radius, (246, 240, 200))


def _grass(pen, _, random, width, height):
    horizon = random.uniform(0.6, 0.68)
    pen.rectangle((0, horizon * height, width, height), fill=(136, 204, 84))
    pen.rectangle((0, (horizon + 0.16) * height, width, height), fill=(112, 186, 70))


def _sea(pen, waves, random, width, height):
    """Three bands of water with wavy edges; without waves, one with a straight one."""
    horizon, phase = random.uniform(0.5, 0.58), random.uniform(0, 6.28)
    if not waves:
        pen.rectangle((0, horizon * height, width, height), fill=(38, 140, 190))
        return
    x = np.linspace(0, 1, 40)
    for depth, colour in ((0, (38, 140, 190)), (0.17, (24, 112, 168)), (0.32, (16, 88, 146))):
        y = horizon + depth + 0.014 * np.sin(x * 19 + phase + depth * 30)
        wave = np.concatenate([np.stack([x, y], 1), [[1, 1], [0, 1]]]) * (width, height)
        pen.polygon(wave.ravel().tolist(), fill=colour)


def _sunset(pen, sun, random, width, height):
    """The sun lights the whole horizon, so that it shows behind objects too."""
    x, horizon, unit = random.uniform(0.15, 0.85), random.uniform(0.76, 0.82), min(width, height)
    if sun:
        pen.rectangle((0, (horizon - 0.07) * height, width, horizon * height), fill=(255, 228, 160))
        _oval(pen, x * width, horizon * height, 0.15 * unit, 0.15 * unit, (255, 238, 176))
    pen.rectangle((0, horizon * height, width, height), fill=(122, 60, 92))


_TONES = {
    "sky": ((126, 190, 246), (190, 226, 252)), "night": ((12, 16, 52), (34, 36, 92)),
    "grass": ((160, 214, 250), (214, 238, 252)), "sea": ((176, 224, 240), (206, 238, 242)),
    "sunset": ((250, 150, 96), (255, 214, 140)),
}
_PAINTERS = {"sky": _sky, "night": _night, "grass": _grass, "sea": _sea, "sunset": _sunset}
