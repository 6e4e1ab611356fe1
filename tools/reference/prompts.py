"""Computes what weighted prompts and learnt embeddings become, with the compel package, with diffusers' load_textual_inversion,
and, for sd_embed, with its arithmetic written down here.

Writes into test/reference/prompts: `embeddings/` (small learnt embeddings with random vectors), `compel-syntax.json` (how compel
parses), `states.json` and `states.safetensors` (text encoder states of prompts), `<number>.png` and `requests.json` (pictures).

  OMP_NUM_THREADS=1 python tools/reference/prompts.py
"""
import json
import random
import shutil
from types import SimpleNamespace

import torch
from compel import Compel, DiffusersTextualInversionManager, ReturnedEmbeddingsType
from compel.prompt_parser import Blend, CrossAttentionControlSubstitute, PromptParser
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

from pictures import MODELS, ROOT, encode, scheduler_makers, uneven_context

PROMPTS = ROOT / 'prompts'
LONG = ('a wide valley with a river, small houses, and a road that leads to the hills. birds over the water; clouds behind the '
        'mountains: red, blue and green. ') * 3
UNBROKEN = 'house boat hill lake street cat ' * 16

COMPEL = [
    'a red cat on a hill', 'a red cat++ on a hill', 'a red cat-- on a hill', '(a red cat)1.4 on a (hill)0.6', 'a (red (cat)++ there)0.8, hill',
    '"a red cat"+ on "a hill"--', 'a (cat)0 on a hill', '("a red cat", "a blue house").blend(1, 0.5)', '("a red cat", "a blue house").blend(1, -0.4, no_normalize)',
    '("a red cat", "a blue house+").and()', '("a red cat", "a blue house").and(1, 0.5)', '(a cat).attend(1.3) on a hill.attend(--)',
    r'a \(red\) cat, "quo\"ted"++', LONG, f'(cat)0.5 {LONG} (hill)1.3', f'{UNBROKEN} (boat)0.7', f'("{UNBROKEN}", "a red cat").blend(0.3, 0.7)',
    f'(a wide valley)0.4 {UNBROKEN}', f'(house boat {UNBROKEN})0.5 end',
]
# Each with the texts and weights that its syntax means, worked out by hand.
SD_EMBEDS = [
    ('a red cat on a hill', [('a red cat on a hill', 1)]),
    ('a (red) cat', [('a ', 1), ('red', 1.1), (' cat', 1)]),
    ('a (red:1.5) [cat] on a ((hill))', [('a ', 1), ('red', 1.5), (' ', 1), ('cat', 1 / 1.1), (' on a ', 1), ('hill', 1.1 * 1.1)]),
    ('(a (red:1.5) cat:0.5)', [('a ', 0.5), ('red', 0.75), (' cat', 0.5)]),
    (r'a \(red\) [[cat]] \\ hill', [('a (red) ', 1), ('cat', 1 / 1.1 / 1.1), (r' \ hill', 1)]),
    ('(unbalanced cat', [('unbalanced cat', 1.1)]),
    ('a cat) at 10:30 (hill:-0.5)', [('a cat) at 10:30 ', 1), ('hill', -0.5)]),
    (f'{UNBROKEN}(boat:1.3) {UNBROKEN}', [(UNBROKEN, 1), ('boat', 1.3), (f' {UNBROKEN}', 1)]),
    (' '.join(['cat'] * 75), [(' '.join(['cat'] * 75), 1)]),
]
# Syntax alone: what the parser makes of a prompt needs no model.
SYNTAX = [
    '()', '( )0.5', 'a++b', 'a+b', 'a +b', '(x)1. y', '(x)-0.5', '[x] {y}', 'x (y', 'x) y', '(a:1.3)', "it's a \"quo\\\"ted\" thing", '("a","b").and(0.5,1) tail',
    '("a","b").blend(1,0) x', '("a","b").blend(1)', '("a","b").blend(1,-1)', '("a","b").blend(x,1)', '("a").and()', '(cat, dog).and()', '(a cat, dog).and()',
    '("a (b)1.2 c", "d").blend(0.3, 0.7)', '("a", "(b c)0.5 d++").and()', 'cat.swap(dog)', 'a "b".swap("c", s_end=1) d', 'withLora(x,0.5) hi', 'useLora hi',
    'a -- b', '--', '++', '(((a)++)--)1.5', 'a,b++,c', 'a, b++, c', '1.5 2.5++ 3+', '(1.5)2', '("", "a").and()', '("", "a").blend(1,1)', '"unclosed', 'a\\+ b\\, c\\"',
    '("a b", c).add(2)', '("a b", c++).add(2, 3)', '(a . b , c)1.1', 'a\tb\n(c d)+\r\n e', 'a "b\\tc" d', '(a (b (c (d)+)+)+)+', 'x.attend(1)', '(x).attend (1)', '(x) .attend( - ) y',
]


def make_embeddings():
    """Embeddings of every form of file, and how to give each to diffusers: its token, and its vectors by width."""
    generator = torch.Generator().manual_seed(77)
    vectors = lambda count, width: 0.5 * torch.randn(count, width, generator=generator)
    made = {
        'star': {'<star>': vectors(1, 32)[0]},
        'worn-look': {'emb_params': vectors(3, 32)},
        'star-sd2': {'<star>': vectors(2, 48)},
        'word': {'glimmer': vectors(1, 32).half()},
        'pair': {'clip_l': vectors(2, 32), 'clip_g': vectors(2, 64)},
    }
    (PROMPTS / 'embeddings').mkdir()
    for name, tensors in made.items():
        save_file(tensors, PROMPTS / 'embeddings' / f'{name}.safetensors')
    return {
        'star': ('<star>', made['star']['<star>']), 'worn-look': ('worn-look', made['worn-look']['emb_params']),
        'star-sd2': ('<star>', made['star-sd2']['<star>']), 'word': ('glimmer', made['word']['glimmer'].float()),
    }


def parse(prompt):
    """What compel makes of a prompt; None where it raises an error or returns something that it then ignores."""
    try:
        conjunction = PromptParser().parse_conjunction(prompt)
    except Exception:
        return None
    if conjunction.lora_weights or not conjunction.prompts:
        return None
    parts = []
    for part, weight in zip(conjunction.prompts, conjunction.weights):
        prompts = part.prompts if isinstance(part, Blend) else [part]
        if any(isinstance(child, CrossAttentionControlSubstitute) for each in prompts for child in each.children):
            return None
        shares = [1.0]
        if isinstance(part, Blend):
            total = sum(part.weights) if part.normalize_weights else 1
            if total == 0:
                return None
            shares = [each / total for each in part.weights]
        parts.append({'prompts': [[[child.text, child.weight] for child in each.children] for each in prompts], 'shares': shares, 'weight': weight})
    return parts


def random_prompts(count):
    """Prompts made of pieces of syntax, most of them broken."""
    pieces = ['(', ')', '"', '++', '--', '+', '-', ' ', ' ', ' ', ', ', '.', '1.2', '0.5', 'cat', 'red', 'a', '.and()', '.blend(1, 2)', '.attend(1.3)', '\\(', '\\"', '\\+', ',', '=']
    generator = random.Random(5)
    return [''.join(generator.choice(pieces) for _ in range(generator.randint(2, 14))) for _ in range(count)]


def load(model):
    pipe = StableDiffusionPipeline.from_pretrained(ROOT / 'models' / model, torch_dtype=torch.float32, safety_checker=None, **MODELS[model])
    pipe.set_progress_bar_config(disable=True)
    return pipe


def final_norm(pipe):
    return getattr(pipe.text_encoder, 'text_model', pipe.text_encoder).final_layer_norm


def compel_of(pipe, clip_skip):
    if not hasattr(pipe.text_encoder, 'text_model'):
        # Compel looks the last norm up under a name that transformers 5 no longer has.
        pipe.text_encoder.text_model = SimpleNamespace(final_layer_norm=final_norm(pipe))
    kind = [ReturnedEmbeddingsType.LAST_HIDDEN_STATES_NORMALIZED, ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NORMALIZED][clip_skip]
    return Compel(pipe.tokenizer, pipe.text_encoder, truncate_long_prompts=False, returned_embeddings_type=kind,
                  textual_inversion_manager=DiffusersTextualInversionManager(pipe))


@torch.no_grad()
def sd_embeds(pipe, weighted, clip_skip, blocks=0):
    """sd_embed: each token's last state times its weight, in chunks of 75 between start and end, padded with the end token."""
    tokenizer = pipe.tokenizer
    tokens = [(token, weight) for text, weight in weighted for token in tokenizer(text, truncation=False).input_ids[1:-1]]
    chunks = [tokens[i:i + 75] for i in range(0, len(tokens), 75)] or [[]]
    chunks += [[]] * (blocks - len(chunks))
    states = []
    for chunk in chunks:
        padding = [tokenizer.eos_token_id] * (75 - len(chunk))
        ids = torch.tensor([[tokenizer.bos_token_id, *(token for token, _ in chunk), *padding, tokenizer.eos_token_id]])
        weights = torch.tensor([1, *(weight for _, weight in chunk), *(1 for _ in padding), 1], dtype=torch.float32)
        hidden = pipe.text_encoder(ids, output_hidden_states=True).hidden_states[-(clip_skip + 1)]
        states.append(final_norm(pipe)(hidden)[0] * weights[:, None])
    return torch.cat(states)[None]


def write_states(pipes):
    """States of prompts with each model; compel's as the package gives them."""
    listed, tensors = [], {}

    def add(model, syntax, prompt, clip_skip, states):
        tensors[f'{len(listed):03}'] = states[0].contiguous()
        listed.append({'model': model, 'promptWeighting': syntax, 'prompt': prompt, 'clipSkip': clip_skip})

    for number, prompt in enumerate(COMPEL):
        model, clip_skip = list(MODELS)[number % 2], (number // 2) % 2
        add(model, 'compel', prompt, clip_skip, compel_of(pipes[model], clip_skip)(prompt))
    for number, (prompt, weighted) in enumerate(SD_EMBEDS):
        model, clip_skip = list(MODELS)[number % 2], (number // 2) % 3
        add(model, 'sdEmbeds', prompt, clip_skip, sd_embeds(pipes[model], weighted, clip_skip))
    save_file(tensors, PROMPTS / 'states.safetensors')
    write_lines('states.json', listed)


def picture(pipe, request, prompt_embeds, negative_prompt_embeds):
    pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
    length = max(prompt_embeds.shape[1], negative_prompt_embeds.shape[1])
    pad = lambda states: torch.nn.functional.pad(states, (0, 0, 0, length - states.shape[1]))
    lengths = [negative_prompt_embeds.shape[1], prompt_embeds.shape[1]] if request['guidanceScale'] > 1 else [prompt_embeds.shape[1]]
    with uneven_context(pipe.unet, lengths):
        return pipe(prompt_embeds=pad(prompt_embeds), negative_prompt_embeds=pad(negative_prompt_embeds), width=request['width'], height=request['height'],
                    num_inference_steps=request['totalSteps'], guidance_scale=request['guidanceScale'],
                    generator=torch.Generator('cpu').manual_seed(request['seed'])).images[0]


def requests():
    """Pictures: both syntaxes, long prompts on one side, clip skip, and embeddings in every place."""
    listed = []

    def add(model, prompt, negative='', **fields):
        listed.append({
            'model': model, 'prompt': prompt, 'negativePrompt': negative, 'width': 64, 'height': 64, 'totalSteps': 5, 'noiseScheduler': 'Euler',
            'guidanceScale': 5, 'clipSkip': 0, 'seed': 700 + len(listed), **fields,
        })

    weight = lambda model, value=1: {'model': model, 'weight': value}
    for model in MODELS:
        add(model, '(a red cat)1.4 on a (hill)0.6', 'blurry++', promptWeighting='compel')
        add(model, LONG, '(dark)0.5', promptWeighting='compel', clipSkip=1)
        add(model, '("a red cat", "a blue house").and()', '', promptWeighting='compel')
        add(model, 'a (red:1.5) [cat] on a hill', f'(dark:1.2) {UNBROKEN}', promptWeighting='sdEmbeds', clipSkip=1)
        add(model, 'a (red:1.5) cat', '', promptWeighting='sdEmbeds', guidanceScale=1)
    add('sd1-tiny', 'a red <star> on a hill', 'blurry', embeddings=[weight('star')])
    add('sd1-tiny', 'a red <star> on a hill', 'blurry', embeddings=[weight('star', -1.5)])
    add('sd1-tiny', 'a WORN-LOOK cat, <star>', 'worn-look', embeddings=[weight('star', 0.5), weight('worn-look')])
    add('sd1-tiny', 'a red cat', '<star> people', embeddings=[weight('star')])
    add('sd1-tiny', 'a red cat', 'people', embeddings=[weight('word', 2), weight('worn-look', 1)], appended=' glimmer worn-look')
    add('sd1-tiny', 'a (worn-look)1.3 cat and a <star>--', '', promptWeighting='compel', embeddings=[weight('star'), weight('worn-look')])
    add('sd1-tiny', 'a (worn-look:1.3) cat', '[<star>]', promptWeighting='sdEmbeds', embeddings=[weight('star'), weight('worn-look')])
    add('sd2-tiny', 'a red <star> on a hill', 'blurry', embeddings=[weight('star-sd2')])
    return listed


# What the two prompts of the sdEmbeds requests mean, worked out by hand.
MEANINGS = {
    'a (red:1.5) [cat] on a hill': [('a ', 1), ('red', 1.5), (' ', 1), ('cat', 1 / 1.1), (' on a hill', 1)],
    f'(dark:1.2) {UNBROKEN}': [('dark', 1.2), (f' {UNBROKEN}', 1)],
    'a (red:1.5) cat': [('a ', 1), ('red', 1.5), (' cat', 1)],
    'a (worn-look:1.3) cat': [('a ', 1), ('worn-look', 1.3), (' cat', 1)],
    '[<star>]': [('<star>', 1 / 1.1)], '': [('', 1)],
}


def embed(pipe, request):
    texts = (request['prompt'].lower() + request.get('appended', ''), request['negativePrompt'])
    clip_skip = request['clipSkip']
    if request.get('promptWeighting') == 'compel':
        compel = compel_of(pipe, clip_skip)
        return compel.pad_conditioning_tensors_to_same_length([compel(text) for text in texts])
    prepared = [pipe.maybe_convert_prompt(text, pipe.tokenizer) for text in texts]
    if request.get('promptWeighting') != 'sdEmbeds':
        return encode(pipe, prepared[0], clip_skip), encode(pipe, prepared[1])
    meanings = [[(pipe.maybe_convert_prompt(text, pipe.tokenizer), weight) for text, weight in MEANINGS[each]] for each in (request['prompt'], request['negativePrompt'])]
    blocks = max(sd_embeds(pipe, meaning, clip_skip).shape[1] // 77 for meaning in meanings) if request['guidanceScale'] > 1 else 0
    return [sd_embeds(pipe, meaning, clip_skip, blocks) for meaning in meanings]


def write_lines(name, values):
    lines = ',\n'.join(json.dumps(value) for value in values)
    (PROMPTS / name).write_text(f'[\n{lines}\n]\n')


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    shutil.rmtree(PROMPTS, ignore_errors=True)
    PROMPTS.mkdir(parents=True)
    embeddings = make_embeddings()
    write_lines('compel-syntax.json', [{'prompt': prompt, 'parts': parse(prompt)} for prompt in [*COMPEL[:13], *SYNTAX, *random_prompts(300)]])
    write_states({model: load(model) for model in MODELS})
    listed = requests()
    for number, request in enumerate(listed):
        pipe = load(request['model'])
        for use in request.get('embeddings', []):
            token, vectors = embeddings[use['model']]
            pipe.load_textual_inversion({token: use['weight'] * vectors})
        image = picture(pipe, request, *embed(pipe, request))
        image.save(PROMPTS / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['model']} {request['prompt'][:40]!r}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    write_lines('requests.json', [{key: value for key, value in request.items() if key != 'appended'} for request in listed])


if __name__ == '__main__':
    main()
