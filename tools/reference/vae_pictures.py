"""Computes whole pictures with diffusers where another model's VAE stands in for a model's own.

Writes test/reference/vae-pictures/<number>.png and requests.json; a request names the model whose VAE it uses.

  OMP_NUM_THREADS=1 python tools/reference/vae_pictures.py
"""
import json
import shutil

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from pictures import MODELS, ROOT, picture

PICTURES = ROOT / 'vae-pictures'
VAES = {'sd1-tiny': {}, 'sd2-tiny': {'variant': 'fp16'}, 'mixed-tiny': {}}


def requests():
    """Each model with each other model's VAE; the last one of these has a shift and a scaling of its own."""
    pairs = [(model, vae) for model in MODELS for vae in VAES if vae != model]
    return [{
        'model': model, 'vae': vae, 'prompt': 'a red cat on a hill', 'negativePrompt': 'blurry', 'width': 64, 'height': 64,
        'totalSteps': 5, 'noiseScheduler': 'Euler', 'guidanceScale': 4, 'clipSkip': 0, 'seed': 50 + number,
    } for number, (model, vae) in enumerate(pairs)]


def with_shift(vae):
    """Lets decode() add the shift, as diffusers' newer pipelines do before it; its StableDiffusionPipeline knows none."""
    decode, shift = vae.decode, vae.config.shift_factor or 0
    vae.decode = lambda latents, **rest: decode(latents + shift, **rest)
    return vae


def main():
    torch.set_num_threads(1)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    load = lambda kind, name, **options: kind.from_pretrained(ROOT / 'models' / name, torch_dtype=torch.float32, **options)
    vaes = {name: with_shift(load(AutoencoderKL, name, subfolder='vae', **options)) for name, options in VAES.items()}
    listed = requests()
    for number, request in enumerate(listed):
        pipe = load(StableDiffusionPipeline, request['model'], safety_checker=None, vae=vaes[request['vae']], **MODELS[request['model']])
        pipe.set_progress_bar_config(disable=True)
        image = picture(pipe, request)
        image.save(PICTURES / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['model']} with the VAE of {request['vae']}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (PICTURES / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
