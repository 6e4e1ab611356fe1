"""Say a scene as people write it, and remember which words belong to which object."""

from dataclasses import dataclass

from .scene import DETAILS, PAIRS
from .words import ADJECTIVES, ENDINGS, OPENINGS, UNKNOWN_NOUNS, nonsense

SYNONYMS = {
    "circle": ("circle", "circle", "disc", "ball"), "square": ("square", "square", "block"), "triangle": ("triangle",),
    "star": ("star",), "heart": ("heart",), "house": ("house", "house", "home", "cottage", "hut"),
    "tree": ("tree", "tree", "oak"), "car": ("car", "car", "automobile", "auto"), "fish": ("fish", "fish", "goldfish"),
    "cat": ("cat", "cat", "kitty", "kitten"), "flower": ("flower", "flower", "blossom", "daisy"),
    "boat": ("boat", "boat", "ship", "sailboat"), "sun": ("sun",), "moon": ("moon", "moon", "crescent moon", "crescent"),
    "mushroom": ("mushroom", "mushroom", "toadstool"), "cup": ("cup", "cup", "mug", "teacup"),
    "balloon": ("balloon", "balloon", "hot air balloon"), "apple": ("apple",),
    "umbrella": ("umbrella", "umbrella", "parasol"), "rocket": ("rocket", "rocket", "spaceship", "rocket ship"),
}
COLOUR_WORDS = {"purple": ("purple", "purple", "violet"), "red": ("red", "red", "red", "crimson", "scarlet"),
                "blue": ("blue", "blue", "blue", "navy blue"), "pink": ("pink",),
                "brown": ("brown", "brown", "chestnut"), "yellow": ("yellow", "yellow", "golden"),
                "green": ("green", "green", "emerald")}
PLURALS = {"fish": "fish", "goldfish": "goldfish", "kitty": "kitties", "daisy": "daisies"}
NUMBERS = {
    "one": ("one", "1", "a single", "just one"), "two": ("two", "two", "2", "a pair of", "a couple of"),
    "three": ("three", "three", "3", "a trio of"), "four": ("four", "four", "4", "a group of four"),
}
# For each background: words that leave its detail open, that say it, and that deny it.
PLACES = {
    "white": (("on a white background", "on white", "on a plain background", "plain white background"), (), ()),
    "sky": (("in the sky", "on a blue sky", "against the sky", "in the air", "with the sky behind it"),
            ("in a cloudy sky", "in the sky with clouds", "among the clouds", "between clouds", "in the sky, with clouds"),
            ("in a clear sky", "in a cloudless sky", "in the sky without clouds", "in the sky, no clouds",
             "in an empty blue sky")),
    "night": (("at night", "on a night sky", "in the night", "in the dark", "by night"),
              ("under the stars", "in a starry night", "at night with stars", "at night, with stars", "in a starry sky"),
              ("at night without stars", "at night, no stars", "in a night with no stars", "in a starless night")),
    "grass": (("on the grass", "on grass", "in a meadow", "in a green field", "in the grass", "on a lawn"), (), ()),
    "sea": (("in the sea", "at sea", "on the water", "in the ocean", "on the sea"),
            ("on the waves", "in the sea with waves", "at sea, with waves", "in a wavy sea"),
            ("on calm water", "in the sea without waves", "at sea, no waves", "on a calm sea", "in a flat sea")),
    "sunset": (("at sunset", "against a sunset", "in a sunset", "in the evening", "at dusk"),
               ("at sunset with the sun", "in front of the setting sun", "at sunset, with a sun"),
               ("at sunset without the sun", "at sunset, no sun", "in the evening after the sun is gone")),
}
PLACE_NOUNS = {"white": "white background", "sky": "sky", "night": "night", "grass": "grass", "sea": "sea",
               "sunset": "sunset"}
STYLE_WORDS = {
    "flat": ("flat style", "flat", "flat colors"),
    "outlined": ("cartoon style", "cartoon", "with outlines", "outlined", "comic style", "with black outlines"),
    "pixel": ("pixel art", "pixel style", "8-bit", "pixelated", "as pixel art"),
    "shaded": ("shaded", "3d style", "glossy", "3d", "with shading", "shiny"),
}
STYLE_OPENINGS = {"flat": ("a flat drawing of ",), "outlined": ("a cartoon of ", "cartoon of "),
                  "pixel": ("pixel art of ", "a pixel art picture of "), "shaded": ("a 3d picture of ", "3d render of ")}
# What stands between the first-named and the second-named, by the side on which the first-named is.
BETWEEN = {
    "left": ("to the left of", "left of", "on the left of", "on the left side of"),
    "right": ("to the right of", "right of", "on the right of", "on the right side of"),
    "next": ("next to", "beside", "and", "and", "with", "by", "near", "together with"),
    "top": ("above", "over", "on top of", "on"),
    "bottom": ("below", "under", "beneath", "underneath"),
}
SIDES = {"beside": ("left", "right", "next"), "stacked": ("top", "bottom")}
PLACED = {"beside": (("on the left", "on the right"), ("at the left", "at the right"), ("left", "right")),
          "stacked": (("at the top", "at the bottom"), ("on top", "below"), ("above", "underneath"))}


@dataclass(frozen=True)
class Caption:
    """A text with, for each of its characters, the object it is about (0, 1, or None), and what it leaves unsaid.

    unsaid holds names of labels.HEADS; everything else is as in the scene.
    """

    text: str
    owners: tuple
    unsaid: frozenset


def plural(noun):
    """The plural of a noun of this world."""
    if noun in PLURALS:
        return PLURALS[noun]
    return noun + "es" if noun.endswith(("ch", "x", "s")) else noun + "s"


class _Writer:
    """Collects pieces of text, each with its owner."""

    def __init__(self):
        self.pieces, self.unsaid = [], set()

    def add(self, text, owner=None):
        self.pieces.append((text, owner))
        return self

    def finish(self):
        text = "".join(piece for piece, _ in self.pieces)
        owners = tuple(owner for piece, owner in self.pieces for _ in piece)
        return Caption(text, owners, frozenset(self.unsaid))


def caption(scene, random, full=False, bare=False):
    """One way to say the scene. White and flat are what goes without saying.

    With full, kinds and colours are always said; else they may be left out, and the whole may be a mere fragment.
    With bare, neither place nor style is said.
    """
    if not full and not bare and random.random() < 0.06:
        return _fragment(scene, random)
    writer = _Writer()
    if bare:
        place = style = ""
        writer.unsaid |= {"background", "style", "detail"}
    else:
        place, style = _place(scene, random, writer), _style(scene, random)
    opening = random.choice(OPENINGS) if random.random() < 0.3 else ""
    if style and random.random() < 0.3:
        opening, style = random.choice(STYLE_OPENINGS[scene.style]), ""
    form = random.random()
    if place and form < 0.12:
        writer.add(f"{place}, ")
        place = ""
    elif style and form < 0.2:
        writer.add(f"{style}, ")
        style = ""
    writer.add(opening)
    _subject(scene, random, writer, full)
    tags = [style] if style else []
    if place:
        writer.add((", " if random.random() < 0.12 else " ") + place)
    if random.random() < 0.25:
        tags += random.sample(ENDINGS, random.randint(1, 3))
    if random.random() < 0.12:
        tags += [" ".join(nonsense(random) for _ in range(random.randint(1, 3)))]
    if random.random() < 0.3:
        random.shuffle(tags)
    writer.add("".join(f", {tag}" for tag in tags) + random.choice(("", "", "", "", ".", "!")))
    return writer.finish()


def _place(scene, random, writer):
    """A phrase for the background; the detail is said only where no object has the same name."""
    open_words, having, lacking = PLACES[scene.background]
    noun = DETAILS.get(scene.background)
    clash = any(noun in (kind, plural(kind)) for kind, _ in scene.objects)
    if noun and not clash and random.random() < 0.5:
        return random.choice(having if scene.detail else lacking)
    writer.unsaid.add("detail")
    if scene.background == "white" and random.random() < 0.5:
        return ""
    return random.choice(open_words)


def _style(scene, random):
    return "" if scene.style == "flat" and random.random() < 0.75 else random.choice(STYLE_WORDS[scene.style])


def _thing(random, kind, colour, writer, owner, full, many=False):
    """A noun with its colour, no article: "red cat", "cat in red", rarely without colour or with an unknown noun."""
    letter = "ab"[owner]
    noun = random.choice(SYNONYMS[kind])
    if not full and random.random() < 0.03:
        noun = random.choice(UNKNOWN_NOUNS)
        writer.unsaid.add(f"kind_{letter}")
    noun = plural(noun) if many else noun
    extra = f"{random.choice(ADJECTIVES) if random.random() < 0.8 else nonsense(random)} " if random.random() < 0.1 else ""
    if not full and random.random() < 0.06:
        writer.unsaid.add(f"colour_{letter}")
        return extra + noun
    word = random.choice(COLOUR_WORDS.get(colour, (colour,)))
    form = random.random()
    if form < 0.88:
        return f"{extra}{word} {noun}" if random.random() < 0.7 else f"{word} {extra}{noun}"
    if form < 0.92:
        return f"{extra}{word}-{random.choice(('colored', 'coloured'))} {noun}"
    return f"{extra}{noun} in {word}" if form < 0.97 else f"{extra}{noun} that {'are' if many else 'is'} {word}"


def _one(random, kind, colour, writer, owner, full):
    phrase = _thing(random, kind, colour, writer, owner, full)
    draw = random.random()
    if draw < 0.78:
        return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"
    return f"the {phrase}" if draw < 0.84 else f"my {phrase}" if draw < 0.86 else phrase


def _subject(scene, random, writer, full):
    if scene.layout in PAIRS:
        _pair(scene, random, writer, full)
    elif scene.layout == "one" and random.random() < 0.88:
        writer.add(_one(random, *scene.objects[0], writer, 0, full), 0)
    else:
        many = scene.layout != "one"
        number = random.choice(NUMBERS[scene.layout])
        writer.add(f"{number} {_thing(random, *scene.objects[0], writer, 0, full, many)}", 0)


def _pair(scene, random, writer, full):
    """Both objects, in either order, with their places."""
    side = random.choice(SIDES[scene.layout])
    order = (0, 1) if side in ("left", "top", "next") else (1, 0)
    first, second = ((_one(random, *scene.objects[i], writer, i, full), i) for i in order)
    if random.random() < 0.2 and side != "next":
        words = random.choice(PLACED[scene.layout])
        writer.add(f"{first[0]} {words[order[0]]}", order[0]).add(random.choice((" and ", ", ")))
        writer.add(f"{second[0]} {words[order[1]]}", order[1])
    elif random.random() < 0.08 and side != "next":
        words = random.choice(PLACED[scene.layout])
        writer.add(f"{words[order[0]]} {first[0]}", order[0]).add(", ")
        writer.add(f"{words[order[1]]} {second[0]}", order[1])
    else:
        writer.add(*first).add(f" {random.choice(BETWEEN[side])} ").add(*second)


def _fragment(scene, random):
    """A few words about a part of the picture, as negative prompts are written."""
    writer = _Writer()
    said = random.choice(("detail", "detail", "background", "colour_a", "style"))
    if said == "detail" and not scene.detail:
        said = "background"
    writer.unsaid |= {"layout", "background", "style", "kind_a", "colour_a", "kind_b", "colour_b", "detail"} - {said}
    if said == "colour_a":
        colour = scene.objects[0][1]
        writer.add(random.choice(COLOUR_WORDS.get(colour, (colour,))), 0)
    elif said == "style":
        writer.add(random.choice(STYLE_WORDS[scene.style]))
    elif said == "background":
        writer.add(random.choice((PLACE_NOUNS[scene.background], f"the {PLACE_NOUNS[scene.background]}")))
    else:
        detail = DETAILS[scene.background]
        writer.unsaid.discard("background")
        writer.add(random.choice((detail, detail, f"the {detail}", detail.removesuffix("s"))))
    return writer.finish()
