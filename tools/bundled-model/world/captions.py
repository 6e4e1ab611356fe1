"""Say a scene as people write it."""

SYNONYMS = {
    "circle": ("circle", "circle", "disc"), "square": ("square",), "triangle": ("triangle",), "star": ("star",),
    "heart": ("heart",), "house": ("house", "house", "home", "cottage"), "tree": ("tree",),
    "car": ("car", "car", "automobile"), "fish": ("fish",), "cat": ("cat", "cat", "kitty", "kitten"),
    "flower": ("flower", "flower", "blossom"), "boat": ("boat", "boat", "ship", "sailboat"), "sun": ("sun",),
    "moon": ("moon", "moon", "crescent moon"), "mushroom": ("mushroom", "mushroom", "toadstool"),
    "cup": ("cup", "cup", "mug"), "balloon": ("balloon",), "apple": ("apple",),
    "umbrella": ("umbrella", "umbrella", "parasol"), "rocket": ("rocket", "rocket", "spaceship"),
}
COLOUR_WORDS = {"purple": ("purple", "purple", "violet"), "red": ("red", "red", "crimson")}
PLURALS = {"fish": "fish", "kitty": "kitties"}
NUMBERS = {"two": ("two", "two", "2", "a pair of"), "three": ("three", "three", "3"), "four": ("four", "four", "4")}
BACKGROUND_PHRASES = {
    "white": ("", "", "on a white background", "on white", "on a plain background"),
    "sky": ("in the sky", "on a blue sky", "in a cloudy sky", "against the sky"),
    "night": ("at night", "on a night sky", "in the night", "under the stars"),
    "grass": ("on the grass", "on grass", "in a meadow", "in a green field"),
    "sea": ("in the sea", "at sea", "on the water", "in the ocean"),
    "sunset": ("at sunset", "against a sunset", "in a sunset", "in the evening"),
}
STYLE_WORDS = {
    "flat": ("", "", "", "flat style", "flat"),
    "outlined": ("cartoon style", "cartoon", "with outlines", "outlined"),
    "pixel": ("pixel art", "pixel style", "8-bit"),
    "shaded": ("shaded", "3d style", "glossy", "3d"),
}
OPENINGS = ("",) * 12 + ("a picture of ", "a drawing of ", "an image of ")
STYLE_OPENINGS = {"flat": "a flat drawing of ", "outlined": "a cartoon of ", "pixel": "pixel art of ",
                  "shaded": "a 3d picture of "}
BESIDE = (("left", ("to the left of", "left of", "on the left of")), ("right", ("to the right of", "right of")),
          ("next", ("next to", "beside", "and")))
STACKED = (("top", ("above", "over", "on top of")), ("bottom", ("below", "under", "beneath")))


def plural(noun):
    """The plural of a noun of this world."""
    if noun in PLURALS:
        return PLURALS[noun]
    return noun + "es" if noun.endswith("ch") else noun + "s"


def _thing(random, kind, colour, many=False):
    noun = random.choice(SYNONYMS[kind])
    return f"{random.choice(COLOUR_WORDS.get(colour, (colour,)))} {plural(noun) if many else noun}"


def _one(random, kind, colour):
    phrase = _thing(random, kind, colour)
    article = "an" if phrase[0] in "aeiou" else "a"
    return f"{article} {phrase}" if random.random() < 0.9 else phrase


def _subject(random, scene):
    if scene.layout == "one":
        return _one(random, *scene.objects[0])
    if scene.layout in NUMBERS:
        return f"{random.choice(NUMBERS[scene.layout])} {_thing(random, *scene.objects[0], many=True)}"
    side, words = random.choice(BESIDE if scene.layout == "beside" else STACKED)
    first, second = scene.objects if side in ("left", "top", "next") else scene.objects[::-1]
    return f"{_one(random, *first)} {random.choice(words)} {_one(random, *second)}"


def caption(scene, random):
    """One way to say the scene; what is left unsaid is the default (white background, flat style)."""
    subject = _subject(random, scene)
    place = random.choice(BACKGROUND_PHRASES[scene.background])
    style = random.choice(STYLE_WORDS[scene.style])
    opening = random.choice(OPENINGS)
    if style and random.random() < 0.25:
        opening, style = STYLE_OPENINGS[scene.style], ""
    text = f"{opening}{subject}{' ' + place if place else ''}{', ' + style if style else ''}"
    return text if random.random() < 0.85 else text[0].upper() + text[1:] + random.choice(("", "."))
