"""What diffusers makes of pictures: the VAE encoder's outputs, image to image and inpainting, on small random-weight models.

Writes
- test/reference/models/inpaint-tiny: a UNet of nine input channels (latents, mask, latents of what is left of the picture),
- test/reference/components/<model>.vae_encoder.safetensors,
- test/reference/image-pictures: the pictures that requests begin with, masks, what becomes of them, and requests.json.

Inpainting leaves every pixel outside the mask as it was: the pictures of diffusers, which have all of it through the VAE,
are pasted into the seed image under the mask here, as its own `padding_mask_crop` does.

  OMP_NUM_THREADS=1 python tools/reference/images.py
"""
import json
import shutil

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from PIL import Image, ImageDraw, ImageFilter
from safetensors.torch import save_file

import models
from pictures import ROOT, scheduler_makers

PICTURES = ROOT / 'image-pictures'
VARIANTS = {'sd1-tiny': {}, 'sd2-tiny': {'variant': 'fp16'}, 'inpaint-tiny': {}, 'mixed-tiny': {}}
PROMPTS = ['a red cat on a hill', 'a blue house, evening light', '', 'portrait of a small green boat']

INPAINT = {
    **models.SD1, 'seed': 4004,
    'text': {**models.SD1['text'], 'num_hidden_layers': 2},
    'unet': {
        **models.SD1['unet'], 'in_channels': 9, 'block_out_channels': (16, 16, 24), 'layers_per_block': 1,
        'down_block_types': ('CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'),
        'up_block_types': ('UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'),
    },
    'vae': {**models.SD1['vae'], 'layers_per_block': 1},
}


def draw(width, height):
    """A picture with smooth and sharp parts."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    data = np.stack([x, y, 0.5 + 0.5 * np.sin(9 * x * y)], axis=-1)
    image = Image.fromarray((data * 255).astype('uint8'))
    pen = ImageDraw.Draw(image)
    pen.ellipse((width // 6, height // 5, width // 2, height // 2), fill=(220, 40, 30))
    pen.rectangle((width // 2, height // 2, width - width // 8, height - height // 6), fill=(20, 60, 200))
    return image


def masks():
    """Masks by name: black stays, white is repainted."""
    def mask(size, paint):
        image = Image.new('L', size)
        paint(ImageDraw.Draw(image))
        return image

    circle = mask((64, 64), lambda pen: pen.ellipse((12, 20, 44, 52), fill=255))
    return {
        'mask-circle': circle,
        'mask-soft': circle.filter(ImageFilter.GaussianBlur(3)),
        # Not of the picture's size, and in colour.
        'mask-large': mask((160, 96), lambda pen: pen.rectangle((40, 30, 110, 70), fill=255)).convert('RGB'),
        'mask-white': Image.new('L', (64, 64), 255),
        # With a margin of 32 the region around it is a square of 80 in a picture of 128.
        'mask-square': mask((128, 128), lambda pen: pen.rectangle((48, 56, 63, 71), fill=255)),
        'mask-corner': mask((128, 128), lambda pen: pen.rectangle((0, 0, 31, 31), fill=255)),
    }


def alpha(mask, size):
    """How much of a pixel is repainted; near black and near white are taken for them."""
    values = np.asarray(mask.resize(size, Image.LANCZOS).convert('L'), dtype='float64')
    return np.where(values < 8, 0, np.where(values > 247, 255, values))[..., None] / 255


def paste(seed, picture, mask):
    share = alpha(mask, seed.size)
    mixed = np.asarray(seed) * (1 - share) + np.asarray(picture) * share
    return Image.fromarray(np.floor(mixed + 0.5).astype('uint8'))


def load(pipeline_class, model):
    pipe = pipeline_class.from_pretrained(ROOT / 'models' / model, torch_dtype=torch.float32, safety_checker=None, **VARIANTS[model])
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture(pipes, request, seeds, shapes):
    generator = torch.Generator().manual_seed(request['seed'])
    size = (request['width'], request['height'])
    seed = seeds[request['initImage']].resize(size, Image.LANCZOS) if 'initImage' in request else Image.new('RGB', size)
    mask = shapes[request['mask']] if 'mask' in request else None
    pipe = pipes(StableDiffusionInpaintPipeline if mask is not None else StableDiffusionImg2ImgPipeline, request['model'])
    pipe.scheduler = scheduler_makers(request['model'])[request['noiseScheduler']]()
    strength = request.get('strength', 1)
    if int(request['totalSteps'] * strength) == 0:
        return encoded(pipe, seed, generator)
    common = {
        'prompt': request['prompt'], 'negative_prompt': request['negativePrompt'], 'num_inference_steps': request['totalSteps'],
        'guidance_scale': request['guidanceScale'], 'generator': generator, 'image': seed, 'strength': strength,
    }
    if mask is None:
        return pipe(**common).images[0]
    width, height = size
    if 'maskMargin' in request:
        return pipe(**common, mask_image=mask, width=width, height=height, padding_mask_crop=request['maskMargin']).images[0]
    result = pipe(**common, mask_image=mask, width=width, height=height).images[0]
    return paste(seed, result, mask)


@torch.no_grad()
def encoded(pipe, seed, generator):
    """The seed image through the VAE and back: what is left where no step is made."""
    latents = pipe.vae.encode(pipe.image_processor.preprocess(seed)).latent_dist.sample(generator)
    return pipe.image_processor.postprocess(pipe.vae.decode(latents).sample)[0]


def requests():
    listed = []

    def add(model, **fields):
        number = len(listed)
        listed.append({
            'model': model, 'prompt': PROMPTS[number % len(PROMPTS)], 'negativePrompt': ('', 'blurry')[number % 2], 'width': 64, 'height': 64,
            'totalSteps': 5 + number % 4, 'noiseScheduler': 'Default', 'guidanceScale': (5, 1, 2.5)[number % 3], 'clipSkip': 0,
            'seed': 500 + 3 * number, **fields,
        })

    def plain(model):
        return [name for name in scheduler_makers(model) if not any(word in name for word in (' Karras', ' Exponential', ' Beta'))]

    image = {'initImage': 'same'}
    for number, name in enumerate(plain('sd1-tiny')):
        add('sd1-tiny', **image, noiseScheduler=name, strength=(0.8, 0.5, 0.35, 0.62)[number % 4])
    for name in ('Euler', 'Heun', 'DPM++ 2M Karras', 'UniPC', 'Default'):
        add('sd2-tiny', **image, noiseScheduler=name, strength=0.7)
    add('sd1-tiny', **image, strength=1, noiseScheduler='Euler')
    add('sd1-tiny', **image, strength=0)
    add('sd2-tiny', **image, strength=0.1, totalSteps=5)
    add('sd1-tiny', initImage='wide', strength=0.6, width=128)
    add('sd2-tiny', initImage='large', strength=0.6, noiseScheduler='Euler a')

    for number, name in enumerate(plain('sd1-tiny')):
        add('sd1-tiny', **image, mask='mask-circle', noiseScheduler=name, strength=(1, 0.8, 0.5)[number % 3])
    for name in ('Euler', 'DDIM', 'DPM++ 3M SDE', 'DPM2 a', 'PNDM', 'Heun'):
        for strength in (1, 0.6):
            add('inpaint-tiny', **image, mask='mask-circle', noiseScheduler=name, strength=strength)
    add('sd1-tiny', **image, mask='mask-soft', strength=0.8)
    add('sd2-tiny', **image, mask='mask-large', strength=0.8)
    add('inpaint-tiny', **image, mask='mask-white', strength=0.8)
    add('sd1-tiny', **image, mask='mask-white', strength=1, noiseScheduler='Euler')
    add('sd1-tiny', initImage='large', width=128, height=128, mask='mask-square', maskMargin=32, strength=0.8)
    add('inpaint-tiny', initImage='large', width=128, height=128, mask='mask-corner', maskMargin=32, strength=1, noiseScheduler='Euler a')
    return listed


def text_requests(first):
    """Text to image with a network that wants a mask: as if all of an empty picture were repainted."""
    listed = []
    for number, name in enumerate(('Default', 'Euler a')):
        listed.append({
            'model': 'inpaint-tiny', 'prompt': PROMPTS[number], 'negativePrompt': '', 'width': 64, 'height': 64, 'totalSteps': 6, 'noiseScheduler': name,
            'guidanceScale': 3, 'clipSkip': 0, 'seed': first + number,
        })
    return listed


@torch.no_grad()
def write_encoder(model):
    generator = torch.Generator().manual_seed(9)
    vae = AutoencoderKL.from_pretrained(ROOT / 'models' / model / 'vae', torch_dtype=torch.float32, **VARIANTS[model])
    pixels = torch.rand((2, 3, 64, 32), generator=generator) * 2 - 1
    pixels[0] = torch.nn.functional.avg_pool2d(pixels[0], 9, stride=1, padding=4)
    posterior = vae.encode(pixels).latent_dist
    scale, shift = vae.config.scaling_factor, vae.config.shift_factor or 0
    tensors = {'pixels': pixels, 'mean': (posterior.mean - shift) * scale, 'deviation': posterior.std * scale}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, ROOT / 'components' / f'{model}.vae_encoder.safetensors')
    print(model, {name: f'{tensor.std():.3f}' for name, tensor in tensors.items()})


def main():
    torch.set_num_threads(1)
    models.FOLDERS['inpaint-tiny'] = {'recipe': INPAINT, 'dtype': 'fp16'}
    models.write_model('inpaint-tiny')
    for model in VARIANTS:
        write_encoder(model)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    seeds = {'same': draw(64, 64), 'wide': draw(100, 40), 'large': draw(120, 150)}
    shapes = masks()
    for name, image in (seeds | shapes).items():
        image.save(PICTURES / f'{name}.png', optimize=True)
    loaded = {}

    def pipes(pipeline_class, model):
        if (pipeline_class, model) not in loaded:
            loaded[pipeline_class, model] = load(pipeline_class, model)
        return loaded[pipeline_class, model]

    listed = requests() + text_requests(9000)
    for number, request in enumerate(listed):
        whole = request if 'initImage' in request else {**request, 'mask': 'mask-white'}
        result = picture(pipes, whole, seeds, shapes)
        result.save(PICTURES / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in result.getextrema())
        print(f"{number:03} {request['model']} {request['noiseScheduler']}: values over {spread} of 255")
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (PICTURES / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
