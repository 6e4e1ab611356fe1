"""Computes whole pictures under ControlNets with diffusers, on the small models of test/reference.

Writes test/reference/control-net-pictures: guide images, pictures and requests.json, which says what each is of. Weights,
windows of steps, several ControlNets and guess mode are StableDiffusionControlNetPipeline's own. diffusers knows no mode in
which the prompt matters more, and guess mode for all ControlNets of a picture only: there `ModedNet` stands around
diffusers' networks and multiplies what they give, as the reference UI's extension does.

  OMP_NUM_THREADS=1 python tools/reference/control_net_pictures.py
"""
import json
import shutil

import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionXLControlNetPipeline
from PIL import Image, ImageDraw

from control_nets import CONTROL_NETS
from pictures import MODELS, ROOT, scheduler_makers

TARGET = ROOT / 'control-net-pictures'
SOFT = 0.825


def guides():
    """Guide images by name; the last two have to be resized."""
    return {
        'house': draw((64, 64), lambda pen: (pen.rectangle((16, 28, 48, 58), outline='white', width=2), pen.line((10, 30, 32, 8, 54, 30), fill='white', width=2))),
        'circles': draw((64, 64), lambda pen: [pen.ellipse((32 - r, 32 - r, 32 + r, 32 + r), outline=(255, 8 * r, 40 + 6 * r)) for r in (6, 14, 22, 29)]),
        'hills': draw((128, 64), lambda pen: (pen.polygon((0, 60, 40, 20, 80, 60), fill=(30, 120, 200)), pen.polygon((50, 60, 96, 10, 128, 60), fill=(220, 90, 40)))),
        'wide': draw((150, 90), lambda pen: [pen.line((0, y, 150, 90 - y), fill=(255 - 2 * y, 2 * y, 128)) for y in range(0, 90, 7)]),
        'small': draw((40, 33), lambda pen: (pen.pieslice((4, 4, 36, 30), 30, 300, fill=(250, 200, 20)), pen.point((20, 16), fill='white'))),
    }


def draw(size, marks):
    image = Image.new('RGB', size, 'black')
    marks(ImageDraw.Draw(image))
    return image


class ModedNet(torch.nn.Module):
    """A ControlNet whose maps are multiplied as a control mode says, for guided pictures: the negative prompt's row first."""

    def __init__(self, net, mode):
        super().__init__()
        self.net, self.mode, self.config, self.dtype = net, mode, net.config, net.dtype

    def forward(self, *args, guess_mode=False, return_dict=False, **rest):
        down, middle = self.net(*args, guess_mode=False, return_dict=False, **rest)
        maps = [*down, middle]
        if self.mode == 'prompt':
            factors = [SOFT ** (12 - index) for index in range(len(maps))]
        elif self.mode == 'controlNet':
            factors = torch.logspace(-1, 0, len(maps)).tolist()
        else:
            factors = [1.0] * len(maps)
        if self.mode == 'controlNet':
            maps = [torch.cat([torch.zeros_like(each[:1]), each[1:]]) for each in maps]
        maps = [each * factor for each, factor in zip(maps, factors)]
        return maps[:-1], maps[-1]


def requests():
    base = {'model': 'sd1-tiny', 'prompt': 'a red cat on a hill', 'negativePrompt': '', 'width': 64, 'height': 64, 'totalSteps': 6,
            'noiseScheduler': 'Default', 'guidanceScale': 5, 'clipSkip': 0, 'seed': 77}
    listed = []

    def use(model, guide, **fields):
        return {'model': model, 'guideImage': guide, 'weight': 1, 'start': 0, 'end': 1, 'controlMode': 'balanced', **fields}

    def add(*uses, **fields):
        listed.append({**base, 'seed': base['seed'] + len(listed), **fields, 'controlNets': list(uses)})

    edges, depth = 'sd1-tiny-edges', 'sd1-tiny-depth'
    add(use(edges, 'house'))
    add(use(edges, 'circles'))
    add(use(edges, 'house', weight=0.4), guidanceScale=1)
    add(use(edges, 'house', weight=0), seed=5)
    add(use(edges, 'house', start=0.25, end=0.75), totalSteps=8, noiseScheduler='Euler')
    add(use(edges, 'house', start=0.5), totalSteps=5, noiseScheduler='Heun')
    add(use(edges, 'house', end=0.4), totalSteps=5, noiseScheduler='Euler a', negativePrompt='people')
    add(use(edges, 'house', controlMode='controlNet', weight=0.8))
    add(use(edges, 'house', controlMode='controlNet'), guidanceScale=1, noiseScheduler='DDIM')
    add(use(edges, 'house', controlMode='prompt'))
    add(use(edges, 'circles', controlMode='prompt', weight=0.7), guidanceScale=0)
    add(use(depth, 'circles', weight=0.5))
    add(use(edges, 'house', weight=0.6), use(depth, 'circles', weight=0.7, end=0.5), totalSteps=6)
    add(use(depth, 'circles', weight=0.9), use(edges, 'house', weight=0.3, start=0.4), noiseScheduler='DPM++ 2M Karras')
    add(use(edges, 'house'), use(edges, 'circles', weight=0.5))
    add(use(edges, 'house', controlMode='controlNet'), use(depth, 'circles', controlMode='prompt', weight=0.8))
    add(use(edges, 'house', controlMode='balanced', weight=0.5), use(depth, 'circles', controlMode='controlNet'))
    add(use(edges, 'hills'), width=128)
    add(use(edges, 'wide'), guidanceScale=2.5)
    add(use(edges, 'small', weight=0.9), height=128)
    add(use('sd2-tiny-edges', 'house'), model='sd2-tiny')
    add(use('sd2-tiny-edges', 'circles', controlMode='controlNet', weight=0.7), model='sd2-tiny', noiseScheduler='Euler')
    add(use('sd2-tiny-shuffle', 'circles'), model='sd2-tiny')
    add(use('sd2-tiny-shuffle', 'small', start=0.2, weight=0.6), model='sd2-tiny', guidanceScale=1)
    add(use('sd2-tiny-edges', 'hills', controlMode='prompt'), model='sd2-tiny', width=128)
    add(use('sdxl-tiny-edges', 'house'), model='sdxl-tiny', negativePrompt='people')
    add(use('sdxl-tiny-edges', 'circles', controlMode='controlNet', weight=0.8, end=0.7), model='sdxl-tiny')
    add(use('sdxl-tiny-edges', 'house', controlMode='prompt'), model='sdxl-tiny', guidanceScale=1)
    return listed


def pipeline_of(request):
    """The pipeline of a request, and whether guess mode does what its control modes say."""
    modes = {each['controlMode'] for each in request['controlNets']}
    is_own = modes == {'balanced'} or modes == {'controlNet'}
    nets = [ControlNetModel.from_pretrained(CONTROL_NETS / each['model'], torch_dtype=torch.float32) for each in request['controlNets']]
    is_xl = request['model'].startswith('sdxl')
    options = {'add_watermarker': False} if is_xl else {'safety_checker': None, **MODELS[request['model']]}
    pipe = (StableDiffusionXLControlNetPipeline if is_xl else StableDiffusionControlNetPipeline).from_pretrained(
        ROOT / 'models' / request['model'], controlnet=nets if len(nets) > 1 else nets[0], torch_dtype=torch.float32, **options)
    pipe.set_progress_bar_config(disable=True)
    if not is_own:
        assert request['guidanceScale'] > 1 or modes == {'prompt'}
        moded = [ModedNet(net, each['controlMode']) for net, each in zip(nets, request['controlNets'])]
        if len(nets) > 1:
            pipe.controlnet.nets = torch.nn.ModuleList(moded)
        else:
            nets[0].forward = ModedNet(copy_of(nets[0]), request['controlNets'][0]['controlMode']).forward
    return pipe, modes == {'controlNet'}


def copy_of(net):
    """The same network as another object, so that its own forward can be replaced."""
    other = ControlNetModel.from_config(net.config)
    other.load_state_dict(net.state_dict())
    return other.eval()


def picture(request, images, **more):
    pipe, guess_mode = pipeline_of(request)
    pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
    uses = request['controlNets']
    one = lambda key: [each[key] for each in uses] if len(uses) > 1 else uses[0][key]
    guide = [images[each['guideImage']] for each in uses]
    return pipe(
        request['prompt'], image=guide if len(uses) > 1 else guide[0], negative_prompt=request['negativePrompt'] or None, width=request['width'], height=request['height'],
        num_inference_steps=request['totalSteps'], guidance_scale=request['guidanceScale'], generator=torch.Generator('cpu').manual_seed(request['seed']),
        controlnet_conditioning_scale=[float(each['weight']) for each in uses] if len(uses) > 1 else float(uses[0]['weight']),
        control_guidance_start=one('start'), control_guidance_end=one('end'), guess_mode=guess_mode, **more,
    ).images[0]


def main():
    torch.set_num_threads(1)
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    images = guides()
    for name, image in images.items():
        image.save(TARGET / f'guide-{name}.png', optimize=True)
    listed = requests()
    for number, request in enumerate(listed):
        image = picture(request, images)
        image.save(TARGET / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f"{number:03} {request['model']} {[(each['model'], each['controlMode']) for each in request['controlNets']]}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    for use in (each for request in listed for each in request['controlNets']):
        use['guideImage'] = f"guide-{use['guideImage']}"
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (TARGET / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
