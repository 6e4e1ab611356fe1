"""Learn a small byte-pair vocabulary in CLIP's form from the world's captions and write tokenizer/.

    python make_tokenizer.py
"""

import json
import os
from collections import Counter

from common import seed_all, work_path
from world.captions import caption
from world.scene import sample_scene
from world.words import EVERYDAY, UNKNOWN_NOUNS

START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = 1100


def byte_letters():
    """CLIP's printable stand-ins for the 256 bytes, in CLIP's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(rest))]


def learn_merges(words, count):
    """The most frequent neighbours, merged one after another."""
    pieces = {word: tuple(word[:-1]) + (word[-1] + "</w>",) for word in words}
    merges = []
    while len(merges) < count:
        pairs = Counter()
        for word, parts in pieces.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = max(sorted(pairs), key=pairs.get)
        merges.append(best)
        for word, parts in pieces.items():
            pieces[word] = _merged(parts, best)
    return merges


def _merged(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if parts[i:i + 2] == pair:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return tuple(out)


def main():
    random = seed_all(5)
    words = Counter({word: 5 for word in (*EVERYDAY, *UNKNOWN_NOUNS)})
    for _ in range(20000):
        text = caption(sample_scene(random), random).text
        words.update(w for w in "".join(c if c.isalpha() else " " for c in text).split())
    merges = learn_merges(words, MERGES)
    letters = byte_letters()
    entries = letters + [c + "</w>" for c in letters] + ["".join(pair) for pair in merges] + [START, END]
    folder = work_path("tokenizer")
    os.makedirs(folder, exist_ok=True)

    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    write("vocab.json", json.dumps({entry: i for i, entry in enumerate(entries)}, ensure_ascii=False))
    write("merges.txt", "#version: 0.2\n" + "\n".join(" ".join(pair) for pair in merges) + "\n")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    write("special_tokens_map.json", json.dumps(special, indent=2))
    write("tokenizer_config.json", json.dumps({
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "add_prefix_space": False,
        "errors": "replace", **special}, indent=2))
    print(len(entries), "entries in", folder)


if __name__ == "__main__":
    main()
