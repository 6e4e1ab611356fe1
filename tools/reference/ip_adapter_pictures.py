"""Computes whole pictures with IP-Adapters with diffusers on the small models, to test/reference/ip-adapter-pictures.

Beside requests.json and the pictures lie the guide images. The adapters are those of ip_adapters.py.

  OMP_NUM_THREADS=1 python tools/reference/ip_adapter_pictures.py
"""
import json
import shutil

import torch
from PIL import Image, ImageDraw

from ip_adapters import load_pipeline
from pictures import ROOT, scheduler_makers

OUT = ROOT / 'ip-adapter-pictures'
GUIDES = {'bands': (50, 40), 'disc': (32, 57)}


def guide(name, size):
    """Strong shapes, so that guides are told apart."""
    image = Image.new('RGB', size, (20, 40, 160) if name.startswith('disc') else (240, 230, 60))
    draw = ImageDraw.Draw(image)
    if name.startswith('disc'):
        draw.ellipse((4, 10, 28, 40), fill=(230, 60, 40))
    else:
        for y in range(0, size[1], 8):
            draw.rectangle((0, y, size[0], y + 3), fill=(10, 120, 60))
    return image


def requests():
    def use(adapter, image, weight):
        return {'model': adapter, 'guideImage': image, 'weight': weight}

    kinds = [
        ('sd1-tiny', [use('sd1-plain', 'bands', 1)]),
        ('sd1-tiny', [use('sd1-plain', 'disc', 0.4)]),
        ('sd1-tiny', [use('sd1-plus', 'disc', 0.8)]),
        ('sd1-tiny', [use('sd1-plus', 'bands', 0.5), use('sd1-plain', 'disc', 0.7)]),
        ('sd1-tiny', [use('sd1-plain', 'bands', 0.6), use('sd1-plus', 'bands', 0)]),
        ('sdxl-tiny', [use('sdxl-plain', 'bands', 0.9)]),
    ]
    for number, (model, uses) in enumerate(kinds):
        yield {
            'model': model, 'prompt': 'a red cat on a hill', 'negativePrompt': 'blurry' if number % 2 else '', 'width': 64, 'height': 64,
            'totalSteps': 5 + number % 2, 'noiseScheduler': ('Default', 'Euler', 'DDIM')[number % 3], 'guidanceScale': (5, 1, 3, 7)[number % 4],
            'clipSkip': 0, 'seed': 7000 + number, 'ipAdapters': uses,
        }


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    guides = {name: guide(name, size) for name, size in GUIDES.items()}
    for name, image in guides.items():
        image.save(OUT / f'{name}.png', optimize=True)
    listed = list(requests())
    for number, request in enumerate(listed):
        uses = request['ipAdapters']
        pipe = load_pipeline([use['model'] for use in uses], request['model'])
        pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
        pipe.set_ip_adapter_scale([use['weight'] for use in uses])
        image = pipe(
            request['prompt'], negative_prompt=request['negativePrompt'], width=request['width'], height=request['height'],
            num_inference_steps=request['totalSteps'], guidance_scale=request['guidanceScale'],
            ip_adapter_image=[guides[use['guideImage']] for use in uses],
            generator=torch.Generator('cpu').manual_seed(request['seed'])).images[0]
        image.save(OUT / f'{number:03}.png', optimize=True)
        print(number, request['model'], max(high - low for low, high in image.getextrema()))
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (OUT / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
