"""Makes a small CLIP image encoder and IP-Adapters with random weights in the published layout, and writes what transformers and
diffusers compute with them, to test/reference/ip-adapters.

`image_encoder/` and `<name>.safetensors` are as published; `test/reference/components/ip-adapters.safetensors` holds inputs and outputs of the image
prompts and of the UNet with both adapters, each row with weights of its own.

  OMP_NUM_THREADS=1 python tools/reference/ip_adapters.py
"""
import math

import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from models import MODELS, write_json

OUT = MODELS.parent / 'ip-adapters'
MODEL = 'sd1-tiny'
SIZE = 32
ENCODER = {
    'hidden_size': 32, 'intermediate_size': 48, 'num_hidden_layers': 3, 'num_attention_heads': 4, 'image_size': SIZE, 'patch_size': 8,
    'projection_dim': 24, 'hidden_act': 'gelu',
}
TOKENS = 4
# The reference knows resamplers of four layers only.
RESAMPLER = {'width': 16, 'heads': 2, 'layers': 4}


def weight(generator, *shape, gain=1.0):
    return torch.randn(shape, generator=generator) * gain / math.sqrt(shape[-1])


def norm(generator, name, width):
    return {f'{name}.weight': 1 + 0.2 * torch.randn(width, generator=generator), f'{name}.bias': 0.1 * torch.randn(width, generator=generator)}


def plain_projection(generator, context):
    return {
        'proj.weight': weight(generator, TOKENS * context, ENCODER['projection_dim'], gain=2),
        'proj.bias': 0.1 * torch.randn(TOKENS * context, generator=generator),
        **norm(generator, 'norm', context),
    }


def resampler(generator, context):
    width, inner = RESAMPLER['width'], RESAMPLER['heads'] * 64
    tensors = {
        'latents': torch.randn((1, TOKENS, width), generator=generator),
        'proj_in.weight': weight(generator, width, ENCODER['hidden_size']), 'proj_in.bias': 0.1 * torch.randn(width, generator=generator),
        'proj_out.weight': weight(generator, context, width), 'proj_out.bias': 0.1 * torch.randn(context, generator=generator),
        **norm(generator, 'norm_out', context),
    }
    for index in range(RESAMPLER['layers']):
        attention, forward = f'layers.{index}.0', f'layers.{index}.1'
        tensors |= {
            **norm(generator, f'{attention}.norm1', width), **norm(generator, f'{attention}.norm2', width),
            f'{attention}.to_q.weight': weight(generator, inner, width, gain=2), f'{attention}.to_kv.weight': weight(generator, 2 * inner, width, gain=2),
            f'{attention}.to_out.weight': weight(generator, width, inner),
            **norm(generator, f'{forward}.0', width),
            f'{forward}.1.weight': weight(generator, 4 * width, width), f'{forward}.3.weight': weight(generator, width, 4 * width),
        }
    return tensors


def attention_weights(generator, unet):
    """Keys and values for each attention to the context, numbered as the published files number them."""
    tensors = {}
    for place, name in enumerate(name for name in unet.attn_processors if name.endswith('attn2.processor')):
        width = unet.get_submodule(name.removesuffix('.processor')).to_q.weight.shape[0]
        for part in ('k', 'v'):
            tensors[f'{2 * place + 1}.to_{part}_ip.weight'] = weight(generator, width, unet.config.cross_attention_dim, gain=1.5)
    return tensors


def make_encoder(generator):
    encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**ENCODER)).eval()
    for name, parameter in encoder.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if 'norm' in name and name.endswith('weight'):
            values = 1 + 0.2 * values
        elif parameter.ndim == 1 and 'class' not in name:
            values = 0.1 * values
        elif parameter.ndim > 1:
            values = values * 1.3 / math.sqrt(parameter[0].numel())
        parameter.data.copy_(values)
    return encoder


def read_adapter(name):
    """An adapter's file as `load_ip_adapter` takes it."""
    parts = {'image_proj': {}, 'ip_adapter': {}}
    for key, tensor in load_file(OUT / f'{name}.safetensors').items():
        part, rest = key.split('.', 1)
        parts[part][rest] = tensor
    return parts


def load_pipeline(names, model=MODEL):
    """A tiny pipeline with these adapters."""
    pipe = DiffusionPipeline.from_pretrained(MODELS / model, torch_dtype=torch.float32, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return add_adapters(pipe, names)


def add_adapters(pipe, names):
    pipe.register_modules(image_encoder=CLIPVisionModelWithProjection.from_pretrained(OUT / 'image_encoder'))
    pipe.load_ip_adapter([read_adapter(name) for name in names], subfolder=[''] * len(names), weight_name=[''] * len(names), low_cpu_mem_usage=False)
    return pipe


ADAPTERS = {'sd1-plain': plain_projection, 'sd1-plus': resampler}
# For SDXL, whose levels have several transformer blocks.
XL_MODEL = 'sdxl-tiny'
XL_ADAPTERS = {'sdxl-plain': plain_projection}


def components(pipe):
    generator = torch.Generator().manual_seed(61)
    pixels = torch.randn((2, 3, SIZE, SIZE), generator=generator)
    # The second row has no picture.
    out = {'pixel_values': pixels, 'presence': torch.tensor([1.0, 0.0])}
    projections = pipe.unet.encoder_hid_proj.image_projection_layers
    states = {}
    for name, projection in zip(ADAPTERS, projections):
        embeds, none = pipe.encode_image(pixels, 'cpu', 1, name.endswith('plus'))
        states[name] = torch.stack([projection(embeds)[0], projection(none)[0]])
        out[f'{name}.image_states'] = states[name]
    rows, tokens = 3, 20
    sample = torch.randn((rows, 4, 8, 16), generator=generator)
    timestep = torch.tensor([3.0, 501.0, 980.0])
    context = torch.randn((rows, tokens, pipe.unet.config.cross_attention_dim), generator=generator)
    bias = torch.zeros((rows, 1, 1, tokens))
    lengths = (tokens, 13, 5)
    scales = torch.tensor([[0.7, 0.0], [0.5, 0.9], [0.0, 0.0]])
    guides = [(0, 1), (1, 0), (0, 0)]
    image_states = [torch.stack([states[name][guides[row][index]] for row in range(rows)]) for index, name in enumerate(ADAPTERS)]
    outputs = []
    for row, length in enumerate(lengths):
        bias[row, :, :, length:] = -10000
        pipe.set_ip_adapter_scale(scales[row].tolist())
        # The projection is done: what is left of `encoder_hid_proj` hands the tokens on.
        given = [tokens[row:row + 1, None] for tokens in image_states]
        projection, pipe.unet.encoder_hid_proj = pipe.unet.encoder_hid_proj, torch.nn.Identity()
        outputs.append(pipe.unet(sample[row:row + 1], timestep[row], context[row:row + 1, :length], added_cond_kwargs={'image_embeds': given}).sample)
        pipe.unet.encoder_hid_proj = projection
    out |= {
        'unet.sample': sample, 'unet.timestep': timestep, 'unet.encoder_hidden_states': context, 'unet.encoder_attention_bias': bias,
        'unet.out_sample': torch.cat(outputs),
    }
    for index in range(len(ADAPTERS)):
        out[f'unet.image_states_{index}'] = image_states[index]
        out[f'unet.image_scale_{index}'] = scales[:, index]
    return out


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(6006)
    encoder = make_encoder(generator)
    folder = OUT / 'image_encoder'
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in encoder.state_dict().items() if not name.endswith('position_ids')},
              folder / 'model.safetensors', metadata={'format': 'pt'})
    write_json(folder / 'config.json', {'architectures': ['CLIPVisionModelWithProjection'], 'model_type': 'clip_vision_model', **ENCODER})
    for model, adapters in ((MODEL, ADAPTERS), (XL_MODEL, XL_ADAPTERS)):
        unet = UNet2DConditionModel.from_pretrained(MODELS / model / 'unet', torch_dtype=torch.float32)
        for name, projection in adapters.items():
            image_proj = projection(generator, unet.config.cross_attention_dim)
            ip_adapter = attention_weights(generator, unet)
            save_file({**{f'image_proj.{key}': value.contiguous() for key, value in image_proj.items()},
                       **{f'ip_adapter.{key}': value.contiguous() for key, value in ip_adapter.items()}}, OUT / f'{name}.safetensors')
    tensors = components(load_pipeline(list(ADAPTERS)))
    save_file({key: value.contiguous() for key, value in tensors.items()}, MODELS.parent / 'components' / 'ip-adapters.safetensors')
    print({key: (tuple(value.shape), f'{value.float().std():.3f}') for key, value in tensors.items()})


if __name__ == '__main__':
    main()
