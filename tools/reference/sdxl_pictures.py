"""Computes whole pictures with diffusers' SDXL pipelines on the small SDXL models of test/reference/models.

Writes test/reference/sdxl-pictures/<number>.png and requests.json, as tools/reference/pictures.py does for the other families:
noise schedulers of every kind, guidance and none, negative prompts and none (zeros), clip skip, long prompts, sizes, seeds,
and the same handed over to a refiner at some step.

  OMP_NUM_THREADS=1 python tools/reference/sdxl_pictures.py
"""
import json
import shutil
from contextlib import contextmanager

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from pictures import CHUNK, LONG, NEGATIVE, PROMPTS, ROOT, SIZES, scheduler_makers

PICTURES = ROOT / 'sdxl-pictures'
BASE, REFINER = 'sdxl-tiny', 'sdxl-refiner-tiny'
TRAINED_STEPS = 1000
NOISE_SCHEDULERS = (
    'Default', 'Euler', 'Euler a', 'DDIM', 'DDPM', 'PNDM', 'LMS', 'Heun', 'DPM2', 'DPM2 a Karras', 'DPM++ 2M Karras', 'DPM++ 2M SDE',
    'DPM++ 3M', 'UniPC', 'DEIS', 'LCM',
)
# Every way a noise scheduler may keep a history, which the refiner begins without, and noise of its own.
REFINED = ('Default', 'Euler a', 'DDIM', 'DDPM', 'LMS', 'PNDM', 'Heun', 'DPM2 a', 'DPM++ 2M Karras', 'DPM++ 3M SDE', 'UniPC', 'DEIS', 'LCM')


def chunks_of(tokenizer, prompt):
    """Token ids of a prompt in chunks of 77, each with start, end and padding of its own."""
    ids = tokenizer(prompt, truncation=False, add_special_tokens=False).input_ids
    pieces = [ids[i:i + CHUNK] for i in range(0, len(ids), CHUNK)] or [[]]
    rows = [[tokenizer.bos_token_id, *piece, tokenizer.eos_token_id] for piece in pieces]
    return torch.tensor([row + [tokenizer.pad_token_id] * (CHUNK + 2 - len(row)) for row in rows])


def encode(pipe, prompt, clip_skip=0):
    """Both encoders' states side by side, all chunks one after the other, and the second one's vector of the first chunk."""
    states = []
    for tokenizer, encoder in ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2)):
        if encoder is None:
            continue
        output = encoder(chunks_of(tokenizer, prompt), output_hidden_states=True)
        hidden = output.hidden_states[-(clip_skip + 2)]
        states.append(hidden.reshape(1, -1, hidden.shape[-1]))
    return torch.cat(states, dim=-1), output.text_embeds[:1]


def embed(pipe, request):
    """The pipeline's four tensors, padded to the same length, and how many tokens belong to each row."""
    prompt, pooled = encode(pipe, request['prompt'], request['clipSkip'])
    is_zeros = request['negativePrompt'] == '' and pipe.config.force_zeros_for_empty_prompt
    negative, negative_pooled = encode(pipe, request['negativePrompt'])
    if is_zeros:
        negative, negative_pooled = torch.zeros_like(negative), torch.zeros_like(negative_pooled)
    length = max(prompt.shape[1], negative.shape[1])
    lengths = [negative.shape[1], prompt.shape[1]] if request['guidanceScale'] > 1 else [prompt.shape[1]]
    pad = lambda states: torch.nn.functional.pad(states, (0, 0, 0, length - states.shape[1]))
    return {
        'prompt_embeds': pad(prompt), 'negative_prompt_embeds': pad(negative),
        'pooled_prompt_embeds': pooled, 'negative_pooled_prompt_embeds': negative_pooled,
    }, lengths


def is_long(pipe, request):
    return max(len(chunks_of(pipe.tokenizer_2, request[key])) for key in ('prompt', 'negativePrompt')) > 1


def run(pipe, request, **options):
    """What a pipeline makes of a request: by itself where a prompt has one chunk, else from the chunks' states."""
    common = {
        'num_inference_steps': request['totalSteps'], 'guidance_scale': request['guidanceScale'], **options,
    }
    if is_long(pipe, request):
        embeds, lengths = embed(pipe, request)
        with uneven_context(pipe.unet, lengths):
            return pipe(**embeds, **common).images
    return pipe(
        request['prompt'], negative_prompt=request['negativePrompt'] or None, clip_skip=request['clipSkip'] or None, **common,
    ).images


@contextmanager
def uneven_context(unet, lengths):
    """Lets each row of the UNet see its own number of tokens: the rest of the context is padding."""
    forward = unet.forward

    def row_by_row(sample, timestep, encoder_hidden_states, added_cond_kwargs, **rest):
        rows = []
        for i, length in enumerate(lengths):
            added = {name: values[i:i + 1] for name, values in added_cond_kwargs.items()}
            states = encoder_hidden_states[i:i + 1, :length]
            rows.append(forward(sample[i:i + 1], timestep, encoder_hidden_states=states, added_cond_kwargs=added, **rest)[0])
        return (torch.cat(rows),)

    unet.forward = row_by_row
    try:
        yield
    finally:
        unet.forward = forward


def picture(pipes, request):
    pipe = pipes[request['model']]
    pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
    generator = torch.Generator('cpu').manual_seed(request['seed'])
    options = {'width': request['width'], 'height': request['height'], 'generator': generator}
    if 'refiner' not in request:
        return run(pipe, request, **options)[0]
    refiner = pipes[request['refiner']['model']]
    refiner.scheduler = scheduler_makers(request['refiner']['model'])[request['noiseScheduler']]()
    done = evaluations_before(pipe.scheduler, request['refiner']['startStep'])
    with ended_at(pipe.scheduler, done) as share:
        latents = run(pipe, request, output_type='latent', denoising_end=share(request['totalSteps']), **options)
    with begun_at(refiner, done) as share:
        # The same generator goes on: what an ancestral noise scheduler draws depends on nothing but the step.
        return run(refiner, request, image=latents, denoising_start=share(request['totalSteps']), generator=generator)[0]


def evaluations_before(scheduler, start_step):
    """Evaluations of the network before a step, counted from 1; second-order algorithms take two a step."""
    return (start_step - 1) * scheduler.order


def share_of(scheduler, done):
    """The share of the noise schedule that `done` evaluations are, in diffusers' words."""

    def share(steps):
        scheduler.set_timesteps(steps)
        before, after = (float(scheduler.timesteps[index]) for index in (done - 1, done))
        cutoff = int(before)
        assert before >= cutoff > after, 'no whole number lies between the two steps'
        return 1 - cutoff / TRAINED_STEPS

    return share


@contextmanager
def ended_at(scheduler, done):
    """diffusers ends second-order algorithms in the middle of a step: for those the timesteps themselves are cut."""
    if scheduler.order == 1:
        yield share_of(scheduler, done)
        return
    set_timesteps = scheduler.set_timesteps

    def cut(*args, **rest):
        set_timesteps(*args, **rest)
        scheduler.timesteps = scheduler.timesteps[:done]

    scheduler.set_timesteps = cut
    try:
        yield lambda steps: None
    finally:
        scheduler.set_timesteps = set_timesteps


@contextmanager
def begun_at(pipe, done):
    if pipe.scheduler.order == 1:
        yield share_of(pipe.scheduler, done)
        return

    def get_timesteps(*_, **__):
        pipe.scheduler.set_begin_index(done)
        timesteps = pipe.scheduler.timesteps[done:]
        return timesteps, len(timesteps)

    whole = pipe.get_timesteps
    pipe.get_timesteps = get_timesteps
    try:
        yield lambda steps: 0.5
    finally:
        pipe.get_timesteps = whole


def requests():
    listed = []

    def add(**fields):
        number = len(listed)
        width, height = SIZES[number % len(SIZES)]
        listed.append({
            'model': BASE, 'prompt': PROMPTS[number % len(PROMPTS)], 'negativePrompt': NEGATIVE[number % len(NEGATIVE)],
            'width': width, 'height': height, 'totalSteps': 5 + number % 4, 'noiseScheduler': 'Default',
            'guidanceScale': (5, 1, 2.5, 7.5, 3)[number % 5], 'clipSkip': (0, 0, 1, 0, 2)[(number // 2) % 5],
            'seed': 9000 + 7 * number, **fields,
        })

    for name in NOISE_SCHEDULERS:
        add(noiseScheduler=name)
    add(prompt=LONG, negativePrompt='', guidanceScale=4)
    add(prompt='a red cat', negativePrompt=LONG, guidanceScale=4, noiseScheduler='Euler a')
    add(prompt=LONG, negativePrompt=LONG, guidanceScale=4, clipSkip=1)
    add(prompt=LONG, guidanceScale=1)
    add(prompt=PROMPTS[0], negativePrompt='', width=192, height=128, totalSteps=10, guidanceScale=6)
    for number, name in enumerate(REFINED):
        add(noiseScheduler=name, totalSteps=6 + number % 3, refiner={'model': REFINER, 'startStep': 3 + number % 4})
    add(prompt=LONG, negativePrompt='', guidanceScale=4, refiner={'model': REFINER, 'startStep': 2})
    add(prompt=PROMPTS[1], negativePrompt=LONG, guidanceScale=4, noiseScheduler='Euler a', refiner={'model': REFINER, 'startStep': 3})
    add(prompt=PROMPTS[0], width=128, height=128, totalSteps=10, guidanceScale=6, refiner={'model': REFINER, 'startStep': 9})
    return listed


def main():
    torch.set_num_threads(1)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    pipes = {
        name: make.from_pretrained(ROOT / 'models' / name, torch_dtype=torch.float32, add_watermarker=False)
        for name, make in ((BASE, StableDiffusionXLPipeline), (REFINER, StableDiffusionXLImg2ImgPipeline))
    }
    for pipe in pipes.values():
        pipe.set_progress_bar_config(disable=True)
    listed = requests()
    for number, request in enumerate(listed):
        image = picture(pipes, request)
        image.save(PICTURES / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['model']} {request['noiseScheduler']}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (PICTURES / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
