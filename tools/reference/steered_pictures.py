"""Computes whole pictures with ControlNets, IP-Adapters and LoRAs at once with diffusers, to test/reference/steered-pictures.

Uses the networks of control_nets.py, ip_adapters.py and loras.py, and the guide images that lie beside their pictures.

  OMP_NUM_THREADS=1 python tools/reference/steered_pictures.py
"""
import json
import shutil

import torch
from PIL import Image

import control_net_pictures
from control_net_pictures import guides, pipeline_of
from ip_adapters import add_adapters
from loras import LORAS
from pictures import ROOT

TARGET = ROOT / 'steered-pictures'


def requests():
    def net(model, guide, **fields):
        return {'model': model, 'guideImage': guide, 'weight': 1, 'start': 0, 'end': 1, 'controlMode': 'balanced', **fields}

    def adapter(model, guide, weight=1):
        return {'model': model, 'guideImage': guide, 'weight': weight}

    base = {'model': 'sd1-tiny', 'prompt': 'a red cat on a hill', 'negativePrompt': '', 'width': 64, 'height': 64, 'totalSteps': 6,
            'noiseScheduler': 'Default', 'guidanceScale': 5, 'clipSkip': 0}
    edges, depth = 'sd1-tiny-edges', 'sd1-tiny-depth'
    kinds = [
        {'controlNets': [net(edges, 'house')], 'ipAdapters': [adapter('sd1-plain', 'bands')]},
        {'controlNets': [net(edges, 'circles', weight=0.6, end=0.5)], 'ipAdapters': [adapter('sd1-plain', 'disc', 0.7)], 'guidanceScale': 1, 'noiseScheduler': 'Euler'},
        {'controlNets': [net(depth, 'circles', weight=0.8, start=0.3), net(edges, 'house', weight=0.5)], 'negativePrompt': 'blurry',
         'ipAdapters': [adapter('sd1-plus', 'bands', 0.5), adapter('sd1-plain', 'disc', 0.6)], 'loras': [{'model': 'sd1-tiny-kohya', 'weight': 0.8}]},
        {'controlNets': [net(edges, 'house', controlMode='controlNet', weight=0.9)], 'ipAdapters': [adapter('sd1-plain', 'bands', 0.8)], 'noiseScheduler': 'DDIM'},
        {'controlNets': [net(edges, 'circles', controlMode='prompt')], 'ipAdapters': [adapter('sd1-plain', 'disc', 0)]},
        {'model': 'sdxl-tiny', 'controlNets': [net('sdxl-tiny-edges', 'house', weight=0.7)], 'ipAdapters': [adapter('sdxl-plain', 'bands', 0.9)]},
    ]
    return [{**base, **kind, 'seed': 4400 + number} for number, kind in enumerate(kinds)]


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    images = guides()
    listed = requests()
    for number, request in enumerate(listed):
        pipe, guess_mode = pipeline_of(request)
        loras, adapters = request.get('loras', []), request['ipAdapters']
        for lora in loras:
            pipe.load_lora_weights(LORAS, weight_name=f"{lora['model']}.safetensors", adapter_name=lora['model'])
        if loras:
            pipe.set_adapters([lora['model'] for lora in loras], [lora['weight'] for lora in loras])
        add_adapters(pipe, [use['model'] for use in adapters])
        pipe.set_ip_adapter_scale([use['weight'] for use in adapters])
        # The same pipeline again, now with its LoRAs and adapters.
        control_net_pictures.pipeline_of = lambda _, found=(pipe, guess_mode): found
        shown = [Image.open(ROOT / 'ip-adapter-pictures' / f"{use['guideImage']}.png") for use in adapters]
        image = control_net_pictures.picture(request, images, ip_adapter_image=shown)
        image.save(TARGET / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['model']}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    for request in listed:
        for use in request['controlNets']:
            use['guideImage'] = f"../control-net-pictures/guide-{use['guideImage']}"
        for use in request['ipAdapters']:
            use['guideImage'] = f"../ip-adapter-pictures/{use['guideImage']}"
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (TARGET / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
