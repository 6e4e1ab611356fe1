"""Computes with diffusers and the compel package what learnt embeddings and weighted prompts are for SDXL's two text encoders.

Writes test/reference/sdxl-embeddings: a learnt embedding with random vectors for both encoders, and pictures. diffusers gives a
learnt token an id above the end token's, and an encoder whose configuration says 2 then takes that token for the end of the
text; the encoders are told the end token here.

  OMP_NUM_THREADS=1 python tools/reference/sdxl_embeddings.py
"""
import json
import shutil

import torch
from compel import Compel, ReturnedEmbeddingsType
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

from pictures import ROOT
from sdxl_pictures import BASE, REFINER, picture, scheduler_makers

FOLDER = ROOT / 'sdxl-embeddings'
TOKEN = 'pair-xl'


def load(name, make):
    pipe = make.from_pretrained(ROOT / 'models' / name, torch_dtype=torch.float32, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    for module in pipe.text_encoder_2.modules():
        if hasattr(module, 'eos_token_id'):
            module.eos_token_id = pipe.tokenizer_2.eos_token_id
    return pipe


def weighted(pipe, request):
    """The picture of prompts in compel's syntax."""
    compel = Compel([pipe.tokenizer, pipe.tokenizer_2], [pipe.text_encoder, pipe.text_encoder_2], truncate_long_prompts=False,
                    returned_embeddings_type=ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED, requires_pooled=[False, True])
    prompt, pooled = compel(request['prompt'])
    negative, negative_pooled = compel(request['negativePrompt'])
    prompt, negative = compel.pad_conditioning_tensors_to_same_length([prompt, negative])
    pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
    return pipe(
        prompt_embeds=prompt, pooled_prompt_embeds=pooled, negative_prompt_embeds=negative, negative_pooled_prompt_embeds=negative_pooled,
        width=request['width'], height=request['height'], num_inference_steps=request['totalSteps'], guidance_scale=request['guidanceScale'],
        generator=torch.Generator('cpu').manual_seed(request['seed'])).images[0]


def requests():
    base = {'model': BASE, 'negativePrompt': 'blurry', 'width': 64, 'height': 64, 'totalSteps': 6, 'noiseScheduler': 'Default', 'guidanceScale': 4, 'clipSkip': 0}
    uses = [
        {'prompt': f'a red {TOKEN} on a hill', 'embeddings': 1},
        {'prompt': 'a red cat', 'negativePrompt': f'{TOKEN} people', 'embeddings': 0.5},
        {'prompt': f'a red {TOKEN} on a hill', 'embeddings': 1, 'refiner': {'model': REFINER, 'startStep': 3}},
        {'prompt': 'a red++ cat on a (hill)0.6', 'negativePrompt': 'blurry-- people', 'promptWeighting': 'compel'},
    ]
    listed = [{**base, 'seed': 900 + number, **fields} for number, fields in enumerate(uses)]
    return [{**each, **({'embeddings': [{'model': TOKEN, 'weight': each['embeddings']}]} if 'embeddings' in each else {})} for each in listed]


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / 'embeddings').mkdir(parents=True)
    generator = torch.Generator().manual_seed(78)
    first, second = (0.5 * torch.randn(2, width, generator=generator) for width in (24, 16))
    save_file({'clip_l': first, 'clip_g': second}, FOLDER / 'embeddings' / f'{TOKEN}.safetensors')
    listed = requests()
    for number, request in enumerate(listed):
        pipes = {BASE: load(BASE, StableDiffusionXLPipeline), REFINER: load(REFINER, StableDiffusionXLImg2ImgPipeline)}
        for use in request.get('embeddings', []):
            weight = use['weight']
            for pipe in pipes.values():
                if pipe.text_encoder is not None:
                    pipe.load_textual_inversion(weight * first, token=TOKEN, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
                pipe.load_textual_inversion(weight * second, token=TOKEN, text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
        image = weighted(pipes[BASE], request) if 'promptWeighting' in request else picture(pipes, request)
        image.save(FOLDER / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['prompt']!r}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (FOLDER / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
