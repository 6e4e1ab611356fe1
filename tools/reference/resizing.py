"""Writes what Pillow and transformers make of small pictures to test/reference/images.

`resized.safetensors` holds pictures and their resized versions by Pillow; `clip-pixels.safetensors` holds what
CLIPImageProcessor makes of pictures of several shapes.

  python tools/reference/resizing.py
"""
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessor

OUT = Path(__file__).resolve().parents[2] / 'test' / 'reference' / 'images'
# Width, height and channels of each picture, and the sizes it is brought to.
RESIZED = [
    ((37, 23, 3), [(16, 16), (37, 9), (50, 23), (74, 61)]),
    ((64, 48, 1), [(8, 6), (65, 49), (13, 200)]),
    ((5, 3, 3), [(1, 1), (40, 2), (3, 2)]),
    ((20, 30, 3), [(16, 21), (16, 22)]),
]
KERNELS = {'bicubic': Image.Resampling.BICUBIC, 'lanczos': Image.Resampling.LANCZOS}
# Settings of the processor, and the width and height of the picture.
CLIP = [
    ({'size': {'shortest_edge': 32}, 'crop_size': {'height': 32, 'width': 32}}, (64, 64)),
    ({'size': {'shortest_edge': 32}, 'crop_size': {'height': 32, 'width': 32}}, (91, 40)),
    ({'size': {'shortest_edge': 28}, 'crop_size': {'height': 28, 'width': 28}}, (17, 45)),
    ({'size': {'shortest_edge': 24}, 'crop_size': {'height': 32, 'width': 32}}, (30, 61)),
    ({'size': {'height': 20, 'width': 28}, 'crop_size': {'height': 28, 'width': 28}, 'resample': 1,
      'image_mean': [0.5, 0.4, 0.3], 'image_std': [0.25, 0.5, 0.75]}, (50, 50)),
    ({'do_resize': False, 'do_center_crop': True, 'do_rescale': False, 'do_normalize': False, 'crop_size': {'height': 8, 'width': 8}}, (11, 9)),
]


def picture(generator, width, height, channels):
    """Noise over gradients with hard edges, so that kernels overshoot and are cut off."""
    values = torch.rand((height, width, channels), generator=generator) * 80
    values[:, width // 2:] += 175
    values[height // 2:] = 255 - values[height // 2:]
    return values.to(torch.uint8)


def resized(generator):
    tensors = {}
    for number, ((width, height, channels), sizes) in enumerate(RESIZED):
        source = picture(generator, width, height, channels)
        tensors[f'{number}'] = source
        image = Image.fromarray(source.squeeze(-1).numpy())
        for size in sizes:
            for kernel, resample in KERNELS.items():
                out = np.asarray(image.resize(size, resample)).reshape(size[1], size[0], channels)
                tensors[f'{number}.{kernel}.{size[0]}x{size[1]}'] = torch.from_numpy(out.copy())
    return tensors


def clip_pixels(generator):
    tensors = {}
    for number, (settings, (width, height)) in enumerate(CLIP):
        source = picture(generator, width, height, 3)
        tensors[f'{number}.picture'] = source
        pixels = CLIPImageProcessor(**settings)(Image.fromarray(source.numpy()), return_tensors='pt').pixel_values
        tensors[f'{number}.pixels'] = pixels[0].float().contiguous()
    return tensors


if __name__ == '__main__':
    OUT.mkdir(parents=True, exist_ok=True)
    save_file(resized(torch.Generator().manual_seed(21)), OUT / 'resized.safetensors')
    save_file(clip_pixels(torch.Generator().manual_seed(22)), OUT / 'clip-pixels.safetensors')
