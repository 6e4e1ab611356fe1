"""Computes whole pictures with diffusers' StableDiffusionPipeline on the small models of test/reference/models.

Writes test/reference/pictures/<number>.png (lossless) and requests.json, which lists the request of each. Every noise
scheduler but DPM++ SDE is there (its Brownian tree is not the request's generator), with guidance, without it, with
negative prompts, clip skip, long prompts, several sizes and seeds.

  OMP_NUM_THREADS=1 python tools/reference/pictures.py
"""
import functools
import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from schedulers import schedulers_of

ROOT = Path(__file__).resolve().parents[2] / 'test' / 'reference'
PICTURES = ROOT / 'pictures'
MODELS = {'sd1-tiny': {}, 'sd2-tiny': {'variant': 'fp16'}}
CHUNK = 75

LONG = ' '.join(f'a {color} {thing} on a {place}' for color in ('red', 'blue', 'green', 'black', 'white')
                for thing in ('cat', 'house', 'boat') for place in ('hill', 'lake', 'street'))
PROMPTS = ['a red cat on a hill', 'a blue house, evening light', '', 'portrait of a small green boat']
NEGATIVE = ['', 'blurry, dark', 'people']
SIZES = [(64, 64), (64, 64), (64, 64), (64, 128), (64, 64), (64, 64), (128, 64)]


def scheduler_makers(model):
    """How to make each noise scheduler on a model's own configuration, by name."""
    config = json.loads((ROOT / 'models' / model / 'scheduler' / 'scheduler_config.json').read_text())
    return {
        name: functools.partial(scheduler_class.from_config, config, **settings)
        for name, scheduler_class, settings in schedulers_of(config) if not name.startswith('DPM++ SDE')
    }


def chunks_of(pipe, prompt):
    """Token ids of a prompt in chunks of 77, each with start, end and padding of its own."""
    tokenizer = pipe.tokenizer
    ids = tokenizer(prompt, truncation=False, add_special_tokens=False).input_ids
    pieces = [ids[i:i + CHUNK] for i in range(0, len(ids), CHUNK)] or [[]]
    pad = tokenizer.pad_token_id
    rows = [[tokenizer.bos_token_id, *piece, tokenizer.eos_token_id] for piece in pieces]
    return torch.tensor([row + [pad] * (CHUNK + 2 - len(row)) for row in rows])


def encode(pipe, prompt, clip_skip=0):
    """States of all chunks one after the other: [1, 77 * chunks, width]."""
    output = pipe.text_encoder(chunks_of(pipe, prompt), output_hidden_states=True)
    states = output.hidden_states[-(clip_skip + 1)]
    norm = getattr(pipe.text_encoder, 'text_model', pipe.text_encoder).final_layer_norm
    return norm(states).reshape(1, -1, states.shape[-1])


@contextmanager
def uneven_context(unet, lengths):
    """Lets each row of the UNet see its own number of tokens: the rest of the context is padding."""
    forward = unet.forward

    def row_by_row(sample, timestep, encoder_hidden_states, **rest):
        rows = [forward(sample[i:i + 1], timestep, encoder_hidden_states=encoder_hidden_states[i:i + 1, :length], **rest)[0]
                for i, length in enumerate(lengths)]
        return (torch.cat(rows),)

    unet.forward = row_by_row
    try:
        yield
    finally:
        unet.forward = forward


def embed(pipe, request):
    """The chunks' states for the pipeline, padded to the same length, and how many of them belong to each row."""
    prompt = encode(pipe, request['prompt'], request['clipSkip'])
    negative = encode(pipe, request['negativePrompt'])
    length = max(prompt.shape[1], negative.shape[1])
    lengths = [negative.shape[1], prompt.shape[1]] if request['guidanceScale'] > 1 else [prompt.shape[1]]
    pad = lambda states: torch.nn.functional.pad(states, (0, 0, 0, length - states.shape[1]))
    return {'prompt_embeds': pad(prompt), 'negative_prompt_embeds': pad(negative)}, lengths


def picture(pipe, request):
    """What diffusers makes of a request."""
    pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
    common = {
        'width': request['width'], 'height': request['height'], 'num_inference_steps': request['totalSteps'],
        'guidance_scale': request['guidanceScale'], 'generator': torch.Generator('cpu').manual_seed(request['seed']),
    }
    # The pipeline's own clip_skip looks for an attribute that transformers 5 no longer has; `embed` does what it says.
    if request['clipSkip'] == 0 and max(len(chunks_of(pipe, request[key])) for key in ('prompt', 'negativePrompt')) == 1:
        return pipe(request['prompt'], negative_prompt=request['negativePrompt'], **common).images[0]
    embeds, lengths = embed(pipe, request)
    with uneven_context(pipe.unet, lengths):
        return pipe(**embeds, **common).images[0]


def requests():
    """One request for each noise scheduler and model, of varied kinds; then those that are about the prompt."""
    listed = []

    def add(model, **fields):
        number = len(listed)
        width, height = SIZES[number % len(SIZES)]
        listed.append({
            'model': model, 'prompt': PROMPTS[number % len(PROMPTS)], 'negativePrompt': NEGATIVE[number % len(NEGATIVE)],
            'width': width, 'height': height, 'totalSteps': 5 + number % 4, 'noiseScheduler': 'Default',
            'guidanceScale': (5, 1, 2.5, 7.5, 3)[number % 5], 'clipSkip': (0, 0, 1, 0, 2)[(number // 2) % 5],
            'seed': 1000 + 7 * number, **fields,
        })

    for model in MODELS:
        for name in scheduler_makers(model):
            add(model, noiseScheduler=name)
        add(model, prompt=LONG, negativePrompt='', guidanceScale=4)
        add(model, prompt='a red cat', negativePrompt=LONG, guidanceScale=4, noiseScheduler='Euler')
        add(model, prompt=LONG, negativePrompt=LONG, guidanceScale=4, clipSkip=1, noiseScheduler='DDIM')
        add(model, prompt=LONG, guidanceScale=1, noiseScheduler='Euler a')
        add(model, prompt=PROMPTS[0], width=128, height=128, totalSteps=12, guidanceScale=6)
        add(model, prompt=PROMPTS[0], totalSteps=1)
        add(model, prompt=PROMPTS[1], seed=2 ** 32 + 5)
        add(model, prompt=PROMPTS[1], guidanceScale=0)
    return listed


def main():
    torch.set_num_threads(1)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    pipes = {
        model: StableDiffusionPipeline.from_pretrained(ROOT / 'models' / model, torch_dtype=torch.float32, safety_checker=None, **options)
        for model, options in MODELS.items()
    }
    for pipe in pipes.values():
        pipe.set_progress_bar_config(disable=True)
    listed = requests()
    for number, request in enumerate(listed):
        image = picture(pipes[request['model']], request)
        image.save(PICTURES / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['model']} {request['noiseScheduler']}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (PICTURES / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
