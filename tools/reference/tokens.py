"""What transformers' CLIPTokenizer makes of texts, with CLIP's own vocabulary and with the small one of the reference models.

Usage: python tokens.py OUT_FILE
"""
import gzip
import json
import sys
from pathlib import Path

from transformers import AddedToken, CLIPTokenizer

ROOT = Path(__file__).resolve().parents[2]
SMALL = ROOT / "test/reference/models/sd2-tiny/tokenizer"
CLIP_MERGES = ROOT / "engine/models/clip-vocabulary/clip-merges.txt.gz"

TEXTS = [
    "", " ", "a photo of a cat", "A PHOTO OF A CAT", "  two   spaces\tand\nlines ", "\r\n",
    "It's can't we've I'm they'll he'd you're THE 's", "'S 'T 'RE don’t “quoted” — dash", "''s 'sx 'tis",
    "1234567 3.14 2nd x² h2o", "½ Ⅳ ① ٣ 五", "naïve café Ångström ÉCLAIR", "e\u0301 combining \u0915\u093f \u0e01\u0e33",
    "日本語の文章 中文 한국어", "Привет мир", "مرحبا بالعالم", "ΟΔΟΣ ΣΑΣ Σ", "İstanbul ǅ ß ẞ", "ＦＵＬＬ　ｗｉｄｔｈ", "ﬁ ligature Å K",
    "😀 👩‍👩‍👧‍👦 🇩🇪 ❤️", "cat😀dog", "<|endoftext|> hello <|startoftext|> world", "<|ENDOFTEXT|> shouted", "<|STARTOFTEXT|> shouted", "a<|StartOfText|>b",
    "hello<|endoftext|>world", "<|endoftext|", "<|endoftext|><|endoftext|>", "!", "! !", "a!b", "!!! ... ((very:1.2)) [a|b] {c} <lora:x:1>",
    "control \x00\x01\x1f\x7f chars", "next\x85line nbsp\u00a0here \ufeffbom \u200bzero width \ufeff!",
    "\u2028line\u2029para\u3000ideo\u1680ogham\u180emongol", "snake_case camelCase kebab-case a/b\\c http://x.y/z?q=1&r=2",
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "__proto__ constructor toString hasOwnProperty", "math ∑∫√ ≤ ≥ ≠ ∞", "$5 €10 £20 ¥30 %&*()@#", "a,b;c:d.e?f!g", "\U00020000\U0001F9FF\uE000",
    "masterpiece, best quality, ultra-detailed, 8k uhd, dslr, soft lighting, film grain, Fujifilm XT3",
    " ".join(f"word{i} of a long prompt" for i in range(40)),
]


def byte_characters():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]


def clip_tokenizer():
    merges = gzip.open(CLIP_MERGES, "rt", encoding="utf-8").read().rstrip("\n").split("\n")
    characters = byte_characters()
    tokens = [
        *characters, *[f"{character}</w>" for character in characters], *[merge.replace(" ", "") for merge in merges],
        "<|startoftext|>", "<|endoftext|>",
    ]
    # As the published configurations of SD 1.x have it.
    start, end = (AddedToken(content, normalized=True, special=True) for content in ["<|startoftext|>", "<|endoftext|>"])
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, merges=[tuple(merge.split(" ")) for merge in merges],
        bos_token=start, eos_token=end, unk_token=end, pad_token="<|endoftext|>",
    )


def main(file):
    file.parent.mkdir(parents=True, exist_ok=True)
    small = CLIPTokenizer.from_pretrained(str(SMALL))
    clip = clip_tokenizer()
    rows = [
        {"text": text, **{name: tokenizer(text, add_special_tokens=False).input_ids for name, tokenizer in [("clip", clip), ("small", small)]}}
        for text in TEXTS
    ]
    file.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
