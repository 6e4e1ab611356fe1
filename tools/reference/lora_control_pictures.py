"""Computes pictures with LoRAs under ControlNets with diffusers: both at once, which share one graph here.

Uses the LoRAs of tools/reference/loras.py and the ControlNets and guide images of control_net_pictures.py, and writes
test/reference/lora-control-pictures.

  OMP_NUM_THREADS=1 python tools/reference/lora_control_pictures.py
"""
import json
import shutil

import torch

import control_net_pictures
from control_net_pictures import guides, pipeline_of
from loras import LORAS
from pictures import ROOT

TARGET = ROOT / 'lora-control-pictures'


def requests():
    base = {'model': 'sd1-tiny', 'prompt': 'a red cat on a hill', 'negativePrompt': 'blurry', 'width': 64, 'height': 64, 'totalSteps': 6,
            'noiseScheduler': 'Default', 'guidanceScale': 4, 'clipSkip': 0}
    use = lambda model, guide, **fields: {'model': model, 'guideImage': guide, 'weight': 1, 'start': 0, 'end': 1, 'controlMode': 'balanced', **fields}
    uses = [
        ([('sd1-tiny-kohya', 1)], [use('sd1-tiny-edges', 'house')]),
        ([('sd1-tiny-locon', 0.5), ('sd1-tiny-peft', -1)], [use('sd1-tiny-edges', 'house', weight=0.7, end=0.6)]),
        ([], [use('sd1-tiny-edges', 'circles')]),
    ]
    return [{**base, 'loras': [{'model': name, 'weight': weight} for name, weight in loras], 'controlNets': nets, 'seed': 900 + number}
            for number, (loras, nets) in enumerate(uses)]


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    images = guides()
    listed = requests()
    for number, request in enumerate(listed):
        pipe, guess_mode = pipeline_of(request)
        names = [lora['model'] for lora in request['loras']]
        for name in names:
            pipe.load_lora_weights(LORAS, weight_name=f'{name}.safetensors', adapter_name=name)
        if names:
            pipe.set_adapters(names, [lora['weight'] for lora in request['loras']])
        # The same pipeline again, now with its LoRAs.
        control_net_pictures.pipeline_of = lambda _, found=(pipe, guess_mode): found
        image = control_net_pictures.picture(request, images)
        image.save(TARGET / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f'{number:03} {names}: values over {spread} of 255')
        assert spread > 30, 'a flat picture proves nothing'
    for use in (use for request in listed for use in request['controlNets']):
        use['guideImage'] = f"../control-net-pictures/guide-{use['guideImage']}"
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (TARGET / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
