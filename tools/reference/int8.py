"""Computes UNets with the linear layers of their transformers rounded to 8 bits, with diffusers and PyTorch.

Every linear layer and 1x1 convolution of a transformer gets rounded weights, one scale an output, and a rounded input, one
scale a token; the products are computed in float32. Writes test/reference/int8/<model>.unet.safetensors: inputs, and outputs
with and without rounding.

  OMP_NUM_THREADS=1 python tools/reference/int8.py
"""
import re

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file

from pictures import ROOT

OUTPUTS = ROOT / 'int8'
UNETS = {'sd1-tiny': {}, 'sd2-tiny': {'variant': 'fp16'}, 'sdxl-tiny': {}}
TRANSFORMER = re.compile(r'(^|\.)attentions\.\d+\.')
WEIGHT_STEPS = 64
TOKEN_STEPS = 127
ROWS, TOKENS = 12, 7


def rounded(matrix, steps):
    """Each row of a matrix, rounded to whole numbers of a step: its largest magnitude is `steps` of them."""
    scale = matrix.abs().amax(dim=1, keepdim=True) / steps
    return torch.round(matrix / scale) * scale


def round_input(module, inputs):
    value, *rest = inputs
    is_map = isinstance(module, torch.nn.Conv2d)
    tokens = value.permute(0, 2, 3, 1) if is_map else value
    result = rounded(tokens.reshape(-1, tokens.shape[-1]), TOKEN_STEPS).reshape(tokens.shape)
    return (result.permute(0, 3, 1, 2) if is_map else result, *rest)


def round_layers(unet):
    """Rounds the linear layers of all transformers; says how many these are."""
    layers = [module for name, module in unet.named_modules()
              if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) and TRANSFORMER.search(name)]
    for module in layers:
        module.weight.copy_(rounded(module.weight.flatten(1), WEIGHT_STEPS).reshape(module.weight.shape))
        module.register_forward_pre_hook(round_input)
    return len(layers)


@torch.no_grad()
def write_output(name, options):
    """Many small rows: where an input lies within float32's error of the middle of two steps, its row takes another way."""
    unet = UNet2DConditionModel.from_pretrained(ROOT / 'models' / name / 'unet', torch_dtype=torch.float32, **options).eval()
    generator = torch.Generator().manual_seed(8)
    config = unet.config
    draw = lambda *shape: torch.randn(shape, generator=generator)
    feeds = {
        'sample': draw(ROWS, config.in_channels, 8, 8), 'timestep': torch.linspace(20, 980, ROWS).round(),
        'encoder_hidden_states': draw(ROWS, TOKENS, config.cross_attention_dim), 'encoder_attention_bias': torch.zeros(ROWS, 1, 1, TOKENS),
    }
    added = {}
    if config.addition_embed_type == 'text_time':
        ids = torch.tensor([64.0, 64, 0, 0, 64, 64]).repeat(ROWS, 1)
        added = {'text_embeds': draw(ROWS, config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim), 'time_ids': ids}
    compute = lambda: torch.cat([
        unet(feeds['sample'][row:row + 1], feeds['timestep'][row], encoder_hidden_states=feeds['encoder_hidden_states'][row:row + 1],
             added_cond_kwargs={key: value[row:row + 1] for key, value in added.items()}).sample for row in range(ROWS)])
    plain = compute()
    count = round_layers(unet)
    out = compute()
    print(name, count, 'layers; mean difference', float((out - plain).abs().mean() / plain.abs().mean()))
    tensors = {**feeds, **added, 'out_sample': out, 'plain': plain}
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, OUTPUTS / f'{name}.unet.safetensors')


if __name__ == '__main__':
    torch.set_num_threads(1)
    OUTPUTS.mkdir(exist_ok=True)
    for name, options in UNETS.items():
        write_output(name, options)
