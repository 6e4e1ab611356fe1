"""The kinds of object: short lists of polygons and ellipses in the square [-1, 1]², y downwards.

A part is (role, points). Roles are explained in palette.role_colour. Mirrored copies are drawn too,
so no kind may depend on left and right.
"""

import math

import numpy as np


def _polygon(role, *points):
    return role, np.array(points, dtype=np.float64)


def _ellipse(role, x, y, rx, ry=None, turn=0.0, start=0.0, end=360.0):
    ry = rx if ry is None else ry
    steps = max(10, int(30 * abs(end - start) / 360))
    angle = np.radians(np.linspace(start, end, steps, endpoint=abs(end - start) < 360))
    px, py = rx * np.cos(angle), ry * np.sin(angle)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return role, np.stack([x + c * px - s * py, y + s * px + c * py], 1)


def _star(role, points, outer, inner, turn=-90.0):
    angle = np.radians(turn + np.arange(points * 2) * 180.0 / points)
    radius = np.where(np.arange(points * 2) % 2 == 0, outer, inner)
    return role, np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _heart(role):
    t = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return role, np.stack([x / 16.5, -(y + 2.2) / 15.2], 1)


def _crescent(role):
    outer = np.radians(np.linspace(55, 305, 30))
    inner = np.radians(np.linspace(296, 64, 24))
    a = np.stack([0.92 * np.cos(outer) + 0.12, 0.92 * np.sin(outer)], 1)
    b = np.stack([0.72 * np.cos(inner) + 0.42, 0.80 * np.sin(inner)], 1)
    return role, np.concatenate([a, b])


def _petals(role, count, distance, radius):
    for i in range(count):
        angle = math.radians(-90 + i * 360 / count)
        yield _ellipse(role, distance * math.cos(angle), -0.28 + distance * math.sin(angle), radius)


def _dome(role, x, y, rx, ry):
    return _ellipse(role, x, y, rx, ry, start=180, end=360)


SHAPES = {
    "circle": [_ellipse("main", 0, 0, 0.9)],
    "square": [_polygon("main", (-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8))],
    "triangle": [_polygon("main", (0, -0.9), (0.95, 0.78), (-0.95, 0.78))],
    "star": [_star("main", 5, 1.0, 0.42)],
    "heart": [_heart("main")],
    "house": [
        _polygon("main", (-0.68, -0.12), (0.68, -0.12), (0.68, 0.9), (-0.68, 0.9)),
        _polygon("dark", (0, -0.95), (0.95, -0.1), (-0.95, -0.1)),
        _polygon("wood", (-0.18, 0.3), (0.2, 0.3), (0.2, 0.9), (-0.18, 0.9)),
        _polygon("glass", (0.34, 0.1), (0.58, 0.1), (0.58, 0.36), (0.34, 0.36)),
        _polygon("glass", (-0.56, 0.1), (-0.32, 0.1), (-0.32, 0.36), (-0.56, 0.36)),
    ],
    "tree": [
        _polygon("wood", (-0.15, 0.2), (0.15, 0.2), (0.18, 0.98), (-0.18, 0.98)),
        _ellipse("main", -0.4, 0.0, 0.46),
        _ellipse("main", 0.4, 0.0, 0.46),
        _ellipse("main", 0, -0.42, 0.56),
    ],
    "car": [
        _polygon("main", (-0.55, -0.05), (-0.34, -0.52), (0.34, -0.52), (0.58, -0.05)),
        _polygon("main", (-1, -0.08), (0.92, -0.08), (1, 0.08), (1, 0.42), (-1, 0.42)),
        _polygon("glass", (-0.4, -0.08), (-0.25, -0.4), (-0.04, -0.4), (-0.04, -0.08)),
        _polygon("glass", (0.06, -0.08), (0.06, -0.4), (0.26, -0.4), (0.42, -0.08)),
        _ellipse("ink", -0.52, 0.42, 0.26),
        _ellipse("ink", 0.52, 0.42, 0.26),
        _ellipse("grey", -0.52, 0.42, 0.11),
        _ellipse("grey", 0.52, 0.42, 0.11),
    ],
    "fish": [
        _polygon("dark", (0.42, 0), (1, -0.5), (0.9, 0), (1, 0.5)),
        _polygon("dark", (-0.3, -0.4), (0.1, -0.78), (0.28, -0.35)),
        _ellipse("main", -0.2, 0, 0.78, 0.5),
        _ellipse("pale", -0.6, -0.12, 0.16),
        _ellipse("ink", -0.62, -0.12, 0.08),
    ],
    "cat": [
        _polygon("main", (-0.8, -0.95), (-0.15, -0.5), (-0.78, 0.05)),
        _polygon("main", (0.8, -0.95), (0.15, -0.5), (0.78, 0.05)),
        _ellipse("main", 0, 0.12, 0.86, 0.76),
        _ellipse("pale", -0.34, 0.0, 0.19, 0.21),
        _ellipse("pale", 0.34, 0.0, 0.19, 0.21),
        _ellipse("ink", -0.32, 0.02, 0.1, 0.15),
        _ellipse("ink", 0.32, 0.02, 0.1, 0.15),
        _ellipse("pale", 0, 0.46, 0.32, 0.22),
        _polygon("ink", (-0.13, 0.34), (0.13, 0.34), (0, 0.5)),
    ],
    "flower": [
        _polygon("leaf", (-0.07, 0.0), (0.07, 0.0), (0.07, 0.98), (-0.07, 0.98)),
        _ellipse("leaf", 0.3, 0.68, 0.3, 0.13, turn=-30),
        _ellipse("leaf", -0.3, 0.74, 0.3, 0.13, turn=30),
        *_petals("main", 6, 0.4, 0.28),
        _ellipse("flame", 0, -0.28, 0.24),
    ],
    "boat": [
        _polygon("wood", (-0.06, -0.95), (0.06, -0.95), (0.06, 0.35), (-0.06, 0.35)),
        _polygon("pale", (0.12, -0.9), (0.8, 0.2), (0.12, 0.2)),
        _polygon("light", (-0.12, -0.7), (-0.12, 0.2), (-0.62, 0.2)),
        _polygon("main", (-0.98, 0.3), (0.98, 0.3), (0.62, 0.86), (-0.62, 0.86)),
    ],
    "sun": [_star("main", 12, 1.0, 0.66), _ellipse("light", 0, 0, 0.5)],
    "moon": [_crescent("main")],
    "mushroom": [
        _polygon("pale", (-0.27, 0), (0.27, 0), (0.36, 0.86), (-0.36, 0.86)),
        _dome("main", 0, 0.14, 0.96, 0.98),
        _ellipse("pale", -0.42, -0.2, 0.17),
        _ellipse("pale", 0.42, -0.22, 0.16),
        _ellipse("pale", 0.02, -0.5, 0.19),
    ],
    "cup": [
        _ellipse("dark", 0.6, 0.05, 0.4),
        _ellipse("pale", 0.6, 0.05, 0.2),
        _polygon("main", (-0.76, -0.62), (0.6, -0.62), (0.48, 0.82), (-0.62, 0.82)),
        _ellipse("dark", -0.08, -0.62, 0.68, 0.17),
    ],
    "balloon": [
        _polygon("grey", (-0.035, 0.5), (0.035, 0.5), (0.035, 1.0), (-0.035, 1.0)),
        _polygon("dark", (0, 0.4), (0.17, 0.62), (-0.17, 0.62)),
        _ellipse("main", 0, -0.24, 0.66, 0.76),
        _ellipse("light", -0.26, -0.52, 0.13, 0.22, turn=25),
    ],
    "apple": [
        _polygon("wood", (-0.05, -0.4), (0.04, -0.95), (0.17, -0.92), (0.08, -0.4)),
        _ellipse("leaf", 0.38, -0.76, 0.28, 0.13, turn=-22),
        _ellipse("main", -0.32, 0.16, 0.56, 0.72),
        _ellipse("main", 0.32, 0.16, 0.56, 0.72),
    ],
    "umbrella": [
        _polygon("wood", (-0.05, -0.1), (0.05, -0.1), (0.05, 0.84), (-0.05, 0.84)),
        _polygon("wood", (-0.05, 0.76), (0.05, 0.76), (0.3, 0.76), (0.3, 0.6), (0.4, 0.6), (0.4, 0.9), (-0.05, 0.9)),
        _dome("main", 0, 0.02, 0.98, 0.92),
        _polygon("dark", (-0.33, 0.02), (0, -0.9), (0.33, 0.02)),
    ],
    "rocket": [
        _polygon("flame", (-0.22, 0.6), (0.22, 0.6), (0, 1.0)),
        _polygon("dark", (-0.3, 0.12), (-0.72, 0.74), (-0.3, 0.64)),
        _polygon("dark", (0.3, 0.12), (0.72, 0.74), (0.3, 0.64)),
        _polygon("main", (0, -1.0), (0.24, -0.66), (0.36, -0.2), (0.34, 0.64), (-0.34, 0.64), (-0.36, -0.2), (-0.24, -0.66)),
        _ellipse("glass", 0, -0.22, 0.19),
    ],
}
KIND_NAMES = tuple(SHAPES)
