"""Computes pictures under ControlNets that begin with a picture, or take a LoRA, with diffusers on the small models of test/reference.

Writes test/reference/control-net-image-pictures: image-to-image, inpainting with both kinds of network, and a LoRA; the
ControlNet of the inpainting model takes the latents alone, as the published ones do.

  OMP_NUM_THREADS=1 python tools/reference/control_net_image_pictures.py
"""
import json
import shutil

import torch
from diffusers import (
    ControlNetModel, StableDiffusionControlNetImg2ImgPipeline, StableDiffusionControlNetInpaintPipeline, StableDiffusionControlNetPipeline,
)

import control_nets
from control_net_pictures import guides
from control_nets import CONTROL_NETS
from images import VARIANTS, draw, masks, paste
from pictures import ROOT, scheduler_makers

TARGET = ROOT / 'control-net-image-pictures'
LORAS = ROOT / 'loras'


def requests():
    listed = []

    def add(model, **fields):
        use = {'model': f'{model}-edges', 'guideImage': 'guide', 'weight': 1, 'start': 0, 'end': 1, 'controlMode': 'balanced', **fields.pop('use', {})}
        listed.append({
            'model': model, 'prompt': 'a red cat on a hill', 'negativePrompt': '', 'width': 64, 'height': 64, 'totalSteps': 8, 'noiseScheduler': 'Euler',
            'guidanceScale': 4, 'clipSkip': 0, 'seed': 300 + len(listed), **fields, 'controlNets': [use],
        })

    add('sd1-tiny', initImage='picture', strength=0.6)
    add('sd1-tiny', initImage='picture', strength=0.7, noiseScheduler='DDIM', guidanceScale=1, use={'start': 0.4, 'weight': 0.7})
    add('sd1-tiny', initImage='picture', mask='mask', strength=0.8)
    add('inpaint-tiny', initImage='picture', mask='mask', strength=1)
    add('inpaint-tiny', initImage='picture', mask='mask', strength=0.6, noiseScheduler='DDIM', use={'controlMode': 'controlNet'})
    add('sd1-tiny', loras=[{'model': 'sd1-tiny-peft', 'weight': 0.9}])
    return listed


def picture(request, images):
    (use,) = request['controlNets']
    kind = (
        StableDiffusionControlNetInpaintPipeline if 'mask' in request
        else StableDiffusionControlNetImg2ImgPipeline if 'initImage' in request else StableDiffusionControlNetPipeline)
    net = ControlNetModel.from_pretrained(CONTROL_NETS / use['model'], torch_dtype=torch.float32)
    model = request['model']
    pipe = kind.from_pretrained(ROOT / 'models' / model, controlnet=net, torch_dtype=torch.float32, safety_checker=None, **VARIANTS[model])
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = scheduler_makers(model)[request['noiseScheduler']]()
    for lora in request.get('loras', []):
        pipe.load_lora_weights(LORAS, weight_name=f"{lora['model']}.safetensors", adapter_name=lora['model'])
        pipe.set_adapters([lora['model']], [lora['weight']])
    options = {
        'prompt': request['prompt'], 'negative_prompt': request['negativePrompt'], 'num_inference_steps': request['totalSteps'], 'width': 64, 'height': 64,
        'guidance_scale': request['guidanceScale'], 'generator': torch.Generator().manual_seed(request['seed']),
        'controlnet_conditioning_scale': float(use['weight']), 'control_guidance_start': float(use['start']), 'control_guidance_end': float(use['end']),
        'guess_mode': use['controlMode'] == 'controlNet',
    }
    if 'initImage' not in request:
        return pipe(image=images['guide'], **options).images[0]
    options.update(image=images['picture'], control_image=images['guide'], strength=request['strength'])
    if 'mask' not in request:
        return pipe(**options).images[0]
    return paste(images['picture'], pipe(mask_image=images['mask'], **options).images[0], images['mask'])


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    control_nets.write('inpaint-tiny-edges', {'model': 'inpaint-tiny', 'seed': 46, 'gain': 0.6})
    images = {'guide': guides()['house'], 'picture': draw(64, 64), 'mask': masks()['mask-circle']}
    for name, image in images.items():
        image.save(TARGET / f'{name}.png', optimize=True)
    listed = requests()
    for number, request in enumerate(listed):
        image = picture(request, images)
        image.save(TARGET / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['model']}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (TARGET / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
