"""Makes the small random-weight models in test/reference/models.

Each is a complete diffusers folder with the block structure, key names and file forms of published models, a few
hundred kilobytes in size. Weights are drawn from a fixed seed and scaled so that every part matters: norms have
weights and biases of their own, attention is not uniform, the timestep and the prompt change the result, and a
whole denoising run stays in range (see `calm_unet`).

  python tools/reference/models.py [NAME ...]
"""
import json
import math
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from tokenizer import write_tokenizer

MODELS = Path(__file__).resolve().parents[2] / 'test' / 'reference' / 'models'
DTYPES = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}

PNDM = {
    '_class_name': 'PNDMScheduler', 'beta_end': 0.012, 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085,
    'num_train_timesteps': 1000, 'set_alpha_to_one': False, 'skip_prk_steps': True, 'steps_offset': 1,
    'trained_betas': None, 'clip_sample': False,
}
DDIM_V = {
    '_class_name': 'DDIMScheduler', 'beta_end': 0.012, 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085,
    'num_train_timesteps': 1000, 'set_alpha_to_one': False, 'skip_prk_steps': True, 'steps_offset': 1,
    'trained_betas': None, 'clip_sample': False, 'prediction_type': 'v_prediction',
}
EULER_V = {
    '_class_name': 'EulerDiscreteScheduler', 'beta_end': 0.02, 'beta_schedule': 'linear', 'beta_start': 0.0001,
    'num_train_timesteps': 1000, 'prediction_type': 'v_prediction', 'timestep_spacing': 'trailing', 'steps_offset': 1,
    'trained_betas': None, 'use_karras_sigmas': False,
}

SD1 = {
    'seed': 1001, 'pad_token': '<|endoftext|>', 'scheduler': PNDM,
    'text': {
        'hidden_size': 32, 'intermediate_size': 128, 'num_hidden_layers': 4, 'num_attention_heads': 4,
        'projection_dim': 32, 'hidden_act': 'quick_gelu',
    },
    'unet': {
        'sample_size': 16, 'block_out_channels': (16, 16, 16, 24), 'layers_per_block': 2, 'cross_attention_dim': 32,
        'attention_head_dim': 8, 'norm_num_groups': 8,
        'down_block_types': ('CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'),
        'up_block_types': ('UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'),
    },
    'vae': {
        'sample_size': 128, 'block_out_channels': (8, 8, 8, 16), 'layers_per_block': 2, 'norm_num_groups': 4,
        'down_block_types': ('DownEncoderBlock2D',) * 4, 'up_block_types': ('UpDecoderBlock2D',) * 4,
    },
}

SD2 = {
    'seed': 2002, 'pad_token': '!', 'scheduler': DDIM_V,
    'text': {
        'hidden_size': 48, 'intermediate_size': 96, 'num_hidden_layers': 5, 'num_attention_heads': 3,
        'projection_dim': 32, 'hidden_act': 'gelu',
    },
    'unet': {
        'sample_size': 16, 'block_out_channels': (16, 16, 24, 24), 'layers_per_block': 1, 'cross_attention_dim': 48,
        'attention_head_dim': (2, 4, 6, 3), 'norm_num_groups': 8, 'use_linear_projection': True, 'upcast_attention': True,
        'down_block_types': ('CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'),
        'up_block_types': ('UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'),
    },
    'vae': {
        'sample_size': 128, 'block_out_channels': (8, 8, 8, 16), 'layers_per_block': 1, 'norm_num_groups': 4,
        'down_block_types': ('DownEncoderBlock2D',) * 4, 'up_block_types': ('UpDecoderBlock2D',) * 4,
    },
}

MIXED = {
    'seed': 3003, 'pad_token': '<|endoftext|>', 'scheduler': EULER_V,
    'text': {
        'hidden_size': 24, 'intermediate_size': 48, 'num_hidden_layers': 1, 'num_attention_heads': 2,
        'projection_dim': 24, 'hidden_act': 'quick_gelu',
    },
    'unet': {
        'sample_size': 8, 'block_out_channels': (8, 16, 32), 'layers_per_block': 1, 'cross_attention_dim': 24,
        'attention_head_dim': 2, 'norm_num_groups': 4,
        'down_block_types': ('DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'),
        'up_block_types': ('CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'),
    },
    'vae': {
        'sample_size': 64, 'block_out_channels': (4, 4, 8, 8), 'layers_per_block': 1, 'norm_num_groups': 2,
        'down_block_types': ('DownEncoderBlock2D',) * 4, 'up_block_types': ('UpDecoderBlock2D',) * 4,
        'mid_block_add_attention': False, 'scaling_factor': 0.9, 'shift_factor': 0.1, 'latents_mean': None,
    },
}

# How each folder is written. `legacy` gives the key names of files published before 2023: `text_model.` in front of
# the text encoder's keys and its stored position ids, and query/key/value/proj_attn in the VAE's attention.
FOLDERS = {
    'sd1-tiny': {'recipe': SD1, 'dtype': 'fp32', 'legacy': True},
    'sd2-tiny': {'recipe': SD2, 'dtype': 'fp16', 'variant': 'fp16', 'shards': 3},
    'mixed-tiny': {'recipe': MIXED, 'dtype': 'bf16', 'legacy': True},
}


def randomize(model, generator, gain=1.0):
    """Normal weights of variance 1/fan_in, norm weights around 1, and biases that matter."""
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith('bias'):
            values = 0.1 * values
        elif parameter.ndim == 1:
            values = 1 + 0.2 * values
        elif 'embedding' in name and parameter.ndim == 2 and 'time' not in name:
            values = 0.5 * values
        else:
            values = values * gain / math.sqrt(parameter[0].numel())
            if 'to_q' in name or 'to_k' in name or 'q_proj' in name or 'k_proj' in name:
                values = 1.5 * values
        parameter.data.copy_(values)


def calm_unet(unet, prediction_type):
    """Keeps a denoising run in range, so that whole pictures are a meaningful comparison.

    A random epsilon network does not remove the noise it started from. So the input is carried along the outermost
    skip connection in pairs of channels (x, -x), and the output convolution takes silu(x) - silu(-x) = x of them:
    the prediction is the input plus what the rest of the network adds.
    """
    width = unet.config.block_out_channels[0]
    unet.conv_out.weight.data.mul_(0.5)
    if prediction_type != 'epsilon':
        return
    shortcut = unet.up_blocks[-1].resnets[-1].conv_shortcut
    shortcut.weight.data.mul_(0.3)
    for channel in range(4):
        for sign, lane in ((1, 2 * channel), (-1, 2 * channel + 1)):
            unet.conv_in.weight.data[lane] = 0
            unet.conv_in.weight.data[lane, channel, 1, 1] = sign
            unet.conv_in.bias.data[lane] = 0
            shortcut.weight.data[lane] *= 0.1
            shortcut.weight.data[lane, width + lane] += 1
            unet.conv_norm_out.weight.data[lane] = 1
            unet.conv_norm_out.bias.data[lane] = 0
            unet.conv_out.weight.data[:, lane] *= 0.1
            unet.conv_out.weight.data[channel, lane, 1, 1] += sign


def make(recipe, vocabulary_size):
    """The three networks of a recipe, in fp32."""
    generator = torch.Generator().manual_seed(recipe['seed'])
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary_size, bos_token_id=vocabulary_size - 2, eos_token_id=vocabulary_size - 1, **recipe['text']))
    unet = UNet2DConditionModel(**recipe['unet'])
    vae = AutoencoderKL(**recipe['vae'])
    randomize(text, generator)
    randomize(unet, generator)
    randomize(vae, generator)
    calm_unet(unet, recipe['scheduler'].get('prediction_type', 'epsilon'))
    vae.decoder.conv_out.weight.data.mul_(0.6)
    return text.eval(), unet.eval(), vae.eval()


def legacy_text(tensors):
    """Key names of text encoders as published, with the position ids they used to store."""
    bare = {name.removeprefix('text_model.'): tensor for name, tensor in tensors.items()}
    bare['embeddings.position_ids'] = torch.arange(77).unsqueeze(0)
    return {f'text_model.{name}': tensor for name, tensor in bare.items()}


def legacy_vae(tensors):
    """Key names of the VAE's attention as published before diffusers renamed them."""
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in (('to_q', 'query'), ('to_k', 'key'), ('to_v', 'value'), ('to_out.0', 'proj_attn')):
            name = name.replace(f'attentions.0.{new}.', f'attentions.0.{old}.')
        renamed[name] = tensor
    return renamed


def cast(tensors, dtype):
    return {name: (tensor.to(DTYPES[dtype]) if tensor.is_floating_point() else tensor).contiguous()
            for name, tensor in tensors.items()}


def write_weights(folder, stem, tensors, how, shards=1):
    """One safetensors file, or `shards` of them with an index, named as diffusers and transformers name them."""
    variant = f'.{how["variant"]}' if 'variant' in how else ''
    tensors = cast(tensors, how['dtype'])
    if shards == 1:
        save_file(tensors, folder / f'{stem}{variant}.safetensors', metadata={'format': 'pt'})
        return
    names = sorted(tensors)
    weight_map = {}
    for index in range(shards):
        part = {name: tensors[name] for name in names[index::shards]}
        file = f'{stem}{variant}-{index + 1:05d}-of-{shards:05d}.safetensors'
        save_file(part, folder / file, metadata={'format': 'pt'})
        weight_map.update({name: file for name in part})
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    write_json(folder / f'{stem}.safetensors.index{variant}.json', {
        'metadata': {'total_size': total}, 'weight_map': dict(sorted(weight_map.items()))})


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + '\n')


def write_model(name):
    how = FOLDERS[name]
    recipe = how['recipe']
    folder = MODELS / name
    shutil.rmtree(folder, ignore_errors=True)
    vocabulary_size = write_tokenizer(folder / 'tokenizer', recipe['pad_token'])
    text, unet, vae = make(recipe, vocabulary_size)

    for part, model in (('unet', unet), ('vae', vae)):
        model.save_config(folder / part)
    text_config = {key: value for key, value in text.config.to_diff_dict().items() if key not in ('transformers_version', 'dtype')}
    write_json(folder / 'text_encoder' / 'config.json', {'architectures': ['CLIPTextModel'], 'model_type': 'clip_text_model', **text_config})

    bare_text = {key.removeprefix('text_model.'): tensor for key, tensor in text.state_dict().items() if not key.endswith('position_ids')}
    legacy = how.get('legacy', False)
    write_weights(folder / 'text_encoder', 'model', legacy_text(bare_text) if legacy else bare_text, how)
    write_weights(folder / 'unet', 'diffusion_pytorch_model', unet.state_dict(), how, how.get('shards', 1))
    write_weights(folder / 'vae', 'diffusion_pytorch_model', legacy_vae(vae.state_dict()) if legacy else vae.state_dict(), how)

    write_json(folder / 'scheduler' / 'scheduler_config.json', recipe['scheduler'])
    write_json(folder / 'model_index.json', {
        '_class_name': 'StableDiffusionPipeline', '_diffusers_version': '0.42.1', 'requires_safety_checker': False,
        'feature_extractor': [None, None], 'safety_checker': [None, None],
        'scheduler': ['diffusers', recipe['scheduler']['_class_name']], 'text_encoder': ['transformers', 'CLIPTextModel'],
        'tokenizer': ['transformers', 'CLIPTokenizer'], 'unet': ['diffusers', 'UNet2DConditionModel'],
        'vae': ['diffusers', 'AutoencoderKL'],
    })
    size = sum(file.stat().st_size for file in folder.rglob('*') if file.is_file())
    count = sum(parameter.numel() for parameter in unet.parameters())
    print(f'{name}: {size / 1e3:.0f} kB, UNet of {count} parameters')


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FOLDERS:
        write_model(name)
