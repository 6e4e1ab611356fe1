"""The classes that text encoder and detector tell: one list of them for captions and pictures."""

from .palette import COLOUR_NAMES
from .scene import BACKGROUNDS, LAYOUTS, PAIRS, STYLES
from .shapes import KIND_NAMES

DETAIL = ("absent", "present")
CLASSES = {
    "layout": LAYOUTS, "background": BACKGROUNDS, "style": STYLES, "kind_a": KIND_NAMES, "colour_a": COLOUR_NAMES,
    "kind_b": KIND_NAMES, "colour_b": COLOUR_NAMES, "detail": DETAIL,
}
# One class more for each: not said, or not there.
HEADS = {name: len(values) + 1 for name, values in CLASSES.items()}
# Where an object stands.
PLACES = ("alone", "left", "right", "top", "bottom")


def labels(scene, unsaid=frozenset()):
    """A scene's classes in the order of HEADS; what is not there or not said has the last class."""
    (kind_a, colour_a), (kind_b, colour_b) = (*scene.objects, (None, None))[:2]
    detail = DETAIL[scene.detail] if "detail" not in unsaid else None
    values = (scene.layout, scene.background, scene.style, kind_a, colour_a, kind_b, colour_b, detail)
    return tuple(len(CLASSES[name]) if name in unsaid or value is None else CLASSES[name].index(value)
                 for name, value in zip(CLASSES, values))


def places(scene):
    """For each object of a scene, its class in PLACES."""
    first = 1 if scene.layout == "beside" else 3
    return [first + i if scene.layout in PAIRS else 0 for i in range(len(scene.objects))]
