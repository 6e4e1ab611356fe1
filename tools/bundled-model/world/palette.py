"""Colours of the world, as sRGB bytes."""

COLOURS = {
    "red": (222, 38, 40),
    "orange": (250, 130, 20),
    "yellow": (252, 214, 30),
    "green": (38, 158, 62),
    "blue": (36, 88, 222),
    "purple": (134, 52, 186),
    "pink": (250, 130, 184),
    "brown": (128, 78, 40),
    "black": (28, 28, 32),
    "white": (248, 248, 246),
}
COLOUR_NAMES = tuple(COLOURS)

INK = (24, 22, 30)
# Outlines of dark objects, which would not show in ink.
PALE_INK = (172, 168, 182)
FIXED_ROLES = {
    "ink": INK,
    "pale": (250, 246, 232),
    "wood": (120, 80, 48),
    "leaf": (66, 150, 60),
    "glass": (176, 216, 236),
    "flame": (252, 150, 30),
    "grey": (120, 124, 132),
}


def shade(colour, factor):
    """Scale a colour towards black (factor < 1) or towards white (factor > 1)."""
    if factor <= 1:
        return tuple(int(c * factor) for c in colour)
    return tuple(int(c + (255 - c) * (factor - 1)) for c in colour)


def role_colour(role, main):
    """The colour of a part: 'main', 'dark' and 'light' follow the object's colour."""
    if role == "main":
        return main
    luminance = 0.3 * main[0] + 0.6 * main[1] + 0.1 * main[2]
    if role == "dark":
        return shade(main, 1.3) if luminance < 50 else shade(main, 0.68)
    if role == "light":
        return shade(main, 0.86) if luminance > 225 else shade(main, 1.45)
    return FIXED_ROLES[role]
