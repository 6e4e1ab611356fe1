"""Computes with diffusers' SDXL pipelines what becomes of pictures: image to image and inpainting, with and without a refiner.

Writes test/reference/sdxl-image-pictures, as tools/reference/images.py does for the other families, whose seed image and mask
it uses.

  OMP_NUM_THREADS=1 python tools/reference/sdxl_image_pictures.py
"""
import json
import shutil

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLInpaintPipeline

from images import draw, masks, paste
from pictures import ROOT, scheduler_makers
from sdxl_pictures import BASE, REFINER, run, share_of

PICTURES = ROOT / 'sdxl-image-pictures'


def picture(pipes, request, seed, mask):
    generator = torch.Generator('cpu').manual_seed(request['seed'])
    make = StableDiffusionXLInpaintPipeline if 'mask' in request else StableDiffusionXLImg2ImgPipeline
    pipe = with_scheduler(pipes(make, request['model']), request)
    options = {'image': seed, 'strength': request['strength'], 'generator': generator}
    if 'mask' in request:
        options.update(mask_image=mask, width=request['width'], height=request['height'])
    if 'refiner' in request:
        refiner = with_scheduler(pipes(StableDiffusionXLImg2ImgPipeline, request['refiner']['model']), request)
        share = share_of(refiner.scheduler, request['refiner']['startStep'] - 1)(request['totalSteps'])
        latents = run(pipe, request, output_type='latent', denoising_end=share, **options)
        result = run(refiner, request, image=latents, denoising_start=share, generator=generator)[0]
    else:
        result = run(pipe, request, **options)[0]
    return paste(seed, result, mask) if 'mask' in request else result


def with_scheduler(pipe, request):
    pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
    return pipe


def requests():
    listed = []

    def add(**fields):
        number = len(listed)
        listed.append({
            'model': BASE, 'prompt': ('a red cat on a hill', 'a blue house, evening light')[number % 2], 'negativePrompt': ('', 'blurry')[number % 2],
            'width': 64, 'height': 64, 'totalSteps': 6 + number % 3, 'noiseScheduler': 'Default', 'guidanceScale': (5, 1, 2.5)[number % 3],
            'clipSkip': 0, 'seed': 700 + 3 * number, 'initImage': 'same', 'strength': 0.7, **fields,
        })

    for name in ('Default', 'Euler a', 'DDIM', 'Heun', 'DPM++ 2M Karras', 'UniPC'):
        add(noiseScheduler=name)
    add(strength=1)
    add(model=REFINER, strength=0.3, totalSteps=10)
    add(model=REFINER, strength=0.6, noiseScheduler='DPM++ 2M')
    for name in ('Default', 'Euler a', 'DPM++ 2M'):
        add(noiseScheduler=name, mask='mask-circle', strength=0.8)
    add(mask='mask-circle', strength=1)
    refiner = {'model': REFINER, 'startStep': 6}
    add(refiner=refiner, totalSteps=8)
    add(refiner=refiner, totalSteps=8, noiseScheduler='Euler a', strength=0.5)
    return listed


def main():
    torch.set_num_threads(1)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    seed, mask = draw(64, 64), masks()['mask-circle']
    seed.save(PICTURES / 'same.png', optimize=True)
    mask.save(PICTURES / 'mask-circle.png', optimize=True)
    loaded = {}

    def pipes(make, model):
        if (make, model) not in loaded:
            loaded[make, model] = make.from_pretrained(ROOT / 'models' / model, torch_dtype=torch.float32, add_watermarker=False)
            loaded[make, model].set_progress_bar_config(disable=True)
        return loaded[make, model]

    listed = requests()
    for number, request in enumerate(listed):
        result = picture(pipes, request, seed, mask)
        result.save(PICTURES / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in result.getextrema())
        print(f"{number:03} {request['model']} {request['noiseScheduler']}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (PICTURES / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
