"""Words that say nothing about the picture: what people add to a prompt, and words the world does not know."""

OPENINGS = ("a picture of ", "a drawing of ", "an image of ", "a photo of ", "photo of ", "a photograph of ",
            "an illustration of ", "a painting of ", "a render of ", "artwork of ", "a close-up of ", "draw ",
            "please draw ", "show me ", "make ", "create ", "generate ", "i want ", "i would like to see ", "there is ",
            "this is ", "here is ", "imagine ", "a scene with ", "a beautiful picture of ", "a nice drawing of ")
ENDINGS = ("highly detailed", "best quality", "high quality", "masterpiece", "4k", "8k", "hd", "uhd", "beautiful",
           "professional", "sharp focus", "award winning", "cinematic", "detailed", "very detailed", "trending",
           "vivid colors", "soft light", "studio lighting", "digital art", "artwork", "simple", "minimal", "clean",
           "centered", "please", "thank you", "nice", "stunning", "amazing", "high resolution", "intricate",
           "wallpaper", "for children", "illustration", "icon", "logo", "clip art", "sticker", "poster")
ADJECTIVES = ("big", "small", "little", "large", "tiny", "huge", "cute", "lovely", "beautiful", "pretty", "funny", "old",
              "new", "happy", "sad", "nice", "great", "simple", "bright", "wonderful", "magic", "fancy", "friendly",
              "round", "tall", "young", "wild", "plain", "perfect", "strange")
# Nouns the world has no shape for.
UNKNOWN_NOUNS = ("dog", "horse", "bird", "robot", "dragon", "person", "man", "woman", "child", "castle", "bridge", "train",
                 "plane", "bicycle", "book", "chair", "table", "lamp", "phone", "computer", "guitar", "elephant", "lion",
                 "bear", "rabbit", "mouse", "cow", "pig", "duck", "frog", "snake", "spider", "bottle", "box", "key",
                 "clock", "door", "banana", "orchid", "carrot", "bread", "cake", "pizza", "shoe", "hat", "shirt",
                 "wizard", "ghost", "monster", "thing", "object", "animal", "truck", "bus", "tower", "mountain")
EVERYDAY = ("time year people way day world life hand part place case week company system program question work number "
            "point room mother area money story fact month lot right study business issue side kind head far "
            "long high different large next early important few public bad same able think know take "
            "see come want look use find give tell work call try ask need feel become leave put mean keep let begin seem "
            "help talk turn start might show hear play run move like live believe hold bring happen write provide sit "
            "stand lose pay meet include continue set learn change lead understand watch follow stop create speak read "
            "allow add spend grow open walk win offer remember love consider appear buy wait serve die send expect stay "
            "fall cut reach kill remain suggest raise pass sell require report decide pull quickly slowly always never "
            "often music paper letter war history party result morning reason research girl guy moment air teacher force "
            "education forest street city river garden winter summer spring autumn rain snow wind fire stone gold silver "
            "glass wood metal light shadow dream magic power energy space future past ancient modern classic vintage "
            "surreal abstract realistic photorealistic anime manga watercolor oil pencil ink sketch baroque gothic "
            "cyberpunk steampunk fantasy portrait landscape macro bokeh hdr unreal engine octane artstation").split()


def nonsense(random):
    """A word nobody knows: an everyday one, or letters at random."""
    if random.random() < 0.7:
        return random.choice(EVERYDAY)
    return "".join(random.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(random.randint(2, 9)))
