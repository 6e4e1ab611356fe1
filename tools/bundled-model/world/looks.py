"""How an object is painted: one painter for each style and extra look.

A painter takes the picture, the object's parts (role, points in pixels), its colour and the picture's shorter side.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .palette import INK, PALE_INK, role_colour, shade


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
    ink = PALE_INK if sum(colour) < 150 else INK
    for role, points in parts:
        if role in ("main", "dark", "light", "pale"):
            _outline(pen, points, ink, width)
    for role, points in parts:
        pen.polygon(_flat(points), fill=role_colour(role, colour))
        if role not in ("main", "ink"):
            _outline(pen, points, ink, max(1, width // 2))
    return picture


def _draw_shaded(picture, parts, colour, size):
    """Light from the upper left: from a highlight to a third darker over the object's extent."""
    mask = Image.new("L", picture.size)
    pen = ImageDraw.Draw(mask)
    for _, points in parts:
        pen.polygon(_flat(points), fill=255)
    _fill(ImageDraw.Draw(picture), parts, colour)
    box = mask.getbbox()
    if box is None:
        return picture
    y, x = np.mgrid[0:box[3] - box[1], 0:box[2] - box[0]].astype(np.float32)
    slope = x * 0.55 + y * 0.85
    ramp = slope / max(1.0, float(slope[-1, -1]))
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
    glow = Image.new("RGB", (picture.width // 4, picture.height // 4))
    for _, points in parts:
        _outline(ImageDraw.Draw(glow), points / 4, bright, max(1, size // 120))
    glow = glow.filter(ImageFilter.GaussianBlur(size / 160)).resize(picture.size)
    base = np.asarray(picture).astype(np.uint16) + np.asarray(glow)
    picture = Image.fromarray(np.minimum(base, 255).astype(np.uint8))
    for role, points in parts:
        _outline(ImageDraw.Draw(picture), points, bright, max(1, size // 64))
    return picture


def _pattern(picture, parts, colour, size, cells):
    _fill(ImageDraw.Draw(picture), parts, colour)
    mask = Image.new("L", picture.size)
    pen = ImageDraw.Draw(mask)
    for role, points in parts:
        pen.polygon(_flat(points), fill=255 if role in ("main", "dark", "light") else 0)
    picture.paste(role_colour("light", colour), (0, 0), Image.fromarray(np.asarray(mask) * cells))
    return picture


def _draw_striped(picture, parts, colour, size):
    y, x = np.mgrid[0:picture.height, 0:picture.width] * (1.0 / size)
    return _pattern(picture, parts, colour, size, ((x + y) * 11 % 1 < 0.45).astype(np.uint8))


def _draw_dotted(picture, parts, colour, size):
    y, x = np.mgrid[0:picture.height, 0:picture.width] * (10.0 / size)
    inside = (x % 1 - 0.5) ** 2 + (y % 1 - 0.5) ** 2 < 0.09
    return _pattern(picture, parts, colour, size, inside.astype(np.uint8))


def _draw_blueprint(picture, parts, colour, size):
    pen = ImageDraw.Draw(picture)
    for _, points in parts:
        _outline(pen, points, (236, 244, 252), max(1, size // 64))
    return picture


PAINTERS = {
    "flat": _draw_flat,
    "outlined": _draw_outlined,
    "pixel": _draw_flat,
    "shaded": _draw_shaded,
    "neon": _draw_neon,
    "striped": _draw_striped,
    "dotted": _draw_dotted,
    "blueprint": _draw_blueprint,
}
