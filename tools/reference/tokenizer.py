"""A small byte-pair vocabulary in the form of CLIP's: bytes, bytes that end a word, merges, two special tokens."""
import json
from collections import Counter

# Words the merges are learnt from; other words fall into pieces, as rare words do with CLIP's own vocabulary.
WORDS = '''
a an the of in on at to and with without by from over under near left right above below two three four many
photo photograph picture painting drawing sketch portrait render style art detailed beautiful high quality best
low bad worst blurry ugly watermark text person man woman child face hand hands eyes hair cat dog horse bird fish
tree flower forest mountain river lake sea ocean beach sky cloud clouds sun moon star night day sunset city street
house castle bridge car train boat ship airplane rocket robot dragon apple cup balloon umbrella mushroom
red green blue yellow orange purple pink brown black white gray golden dark light bright colorful
small large big tiny old new ancient modern astronaut riding standing sitting running flying
'''.split()
MERGES = 300
START, END = '<|startoftext|>', '<|endoftext|>'


def byte_characters():
    """The printable character that stands for each byte, as in GPT-2's and CLIP's vocabularies."""
    printable = [*range(ord('!'), ord('~') + 1), *range(ord('¡'), ord('¬') + 1), *range(ord('®'), ord('ÿ') + 1)]
    rest = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]


def learn_merges():
    """Byte-pair merges of the word list: the most frequent pair first, ties by spelling."""
    words = [(*word[:-1], f'{word[-1]}</w>') for word in WORDS]
    merges = []
    while len(merges) < MERGES:
        pairs = Counter(pair for word in words for pair in zip(word, word[1:]))
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = [merge(word, best) for word in words]
    return merges


def merge(word, pair):
    out, index = [], 0
    while index < len(word):
        if word[index:index + 2] == pair:
            out.append(''.join(pair))
            index += 2
        else:
            out.append(word[index])
            index += 1
    return tuple(out)


def write_tokenizer(folder, pad_token):
    """Writes vocab.json, merges.txt and the two configuration files; returns the vocabulary's size."""
    merges = learn_merges()
    characters = byte_characters()
    tokens = [*characters, *(f'{character}</w>' for character in characters), *(''.join(pair) for pair in merges), START, END]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    special = lambda token: {'content': token, 'lstrip': False, 'normalized': True, 'rstrip': False, 'single_word': False}
    config = {
        'add_prefix_space': False, 'bos_token': {'__type': 'AddedToken', **special(START)},
        'do_lower_case': True, 'eos_token': {'__type': 'AddedToken', **special(END)}, 'errors': 'replace',
        'model_max_length': 77, 'pad_token': pad_token, 'tokenizer_class': 'CLIPTokenizer',
        'unk_token': {'__type': 'AddedToken', **special(END)},
    }
    special_tokens = {'bos_token': special(START), 'eos_token': special(END), 'pad_token': pad_token, 'unk_token': special(END)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'vocab.json').write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / 'merges.txt').write_text('#version: 0.2\n' + ''.join(f'{left} {right}\n' for left, right in merges))
    (folder / 'tokenizer_config.json').write_text(json.dumps(config, indent=2) + '\n')
    (folder / 'special_tokens_map.json').write_text(json.dumps(special_tokens, indent=2) + '\n')
    return len(tokens)
