"""Writes how the small models look as single-file checkpoints with the original key names, proven by diffusers.

For each model a checkpoint is put together under the names that the original training code gives the tensors (ours to
state here), with what such files hold beside the weights. Then diffusers' own `from_single_file` loads it, and every
tensor of every component must equal that of the diffusers folder. What is committed is the recipe alone,
test/reference/single-file/NAME.json: each tensor of the checkpoint by name, and the tensors of the diffusers folder
whose bytes it consists of. Tests write the file from it.

Beside them FAMILY-keys.json lists names and shapes of a checkpoint of the published size, for tests that read no weights.

  python tools/reference/single_file.py
"""
import json
import math
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

REFERENCE = Path(__file__).resolve().parents[2] / 'test' / 'reference'
TARGET = REFERENCE / 'single-file'
FAMILIES = REFERENCE.parents[1] / 'engine' / 'models' / 'families'
PARTS = ('unet', 'vae', 'text_encoder')

RESNET = {
    'norm1': 'in_layers.0', 'conv1': 'in_layers.2', 'time_emb_proj': 'emb_layers.1', 'norm2': 'out_layers.0', 'conv2': 'out_layers.3',
    'conv_shortcut': 'skip_connection',
}
TOP = {
    'time_embedding.linear_1': 'time_embed.0', 'time_embedding.linear_2': 'time_embed.2', 'conv_in': 'input_blocks.0.0',
    'conv_norm_out': 'out.0', 'conv_out': 'out.2', 'mid_block.attentions.0': 'middle_block.1',
}
VAE_ATTENTION = {
    'group_norm': 'norm', 'query': 'q', 'key': 'k', 'value': 'v', 'proj_attn': 'proj_out',
    'to_q': 'q', 'to_k': 'k', 'to_v': 'v', 'to_out.0': 'proj_out',
}
OPEN_CLIP_LAYER = {'layer_norm1': 'ln_1', 'layer_norm2': 'ln_2', 'mlp.fc1': 'mlp.c_fc', 'mlp.fc2': 'mlp.c_proj', 'self_attn.out_proj': 'attn.out_proj'}
OPEN_CLIP_TOP = {
    'embeddings.position_embedding.weight': 'positional_embedding', 'embeddings.token_embedding.weight': 'token_embedding.weight',
    'final_layer_norm.weight': 'ln_final.weight', 'final_layer_norm.bias': 'ln_final.bias',
}
TABLES = (
    'betas', 'alphas_cumprod', 'alphas_cumprod_prev', 'sqrt_alphas_cumprod', 'sqrt_one_minus_alphas_cumprod',
    'log_one_minus_alphas_cumprod', 'sqrt_recip_alphas_cumprod', 'sqrt_recipm1_alphas_cumprod', 'posterior_variance',
    'posterior_log_variance_clipped', 'posterior_mean_coef1', 'posterior_mean_coef2',
)


def unet_name(name, config):
    """The original name of a UNet tensor; the original numbers the blocks in one row."""
    per_level = config['layers_per_block']
    levels = len(config['block_out_channels'])
    for new, old in TOP.items():
        if name.startswith(f'{new}.'):
            return old + name[len(new):]
    where, index, kind, *rest = name.split('.')
    if where == 'mid_block':
        return f'middle_block.{2 * int(kind)}.' + resnet(rest)
    level, layer = int(index), int(rest[0])
    if where == 'down_blocks':
        first = 1 + level * (per_level + 1)
        if kind == 'downsamplers':
            return f'input_blocks.{first + per_level}.0.op.{rest[-1]}'
        block = f'input_blocks.{first + layer}'
    else:
        first = level * (per_level + 1)
        if kind == 'upsamplers':
            has_attention = config['up_block_types'][level].startswith('CrossAttn')
            return f'output_blocks.{first + per_level}.{2 if has_attention else 1}.' + '.'.join(rest[1:])
        block = f'output_blocks.{first + layer}'
    assert level < levels
    return f'{block}.0.{resnet(rest[1:])}' if kind == 'resnets' else f'{block}.1.' + '.'.join(rest[1:])


def resnet(parts):
    return f'{RESNET[parts[0]]}.{parts[1]}'


def vae_name(name, config):
    levels = len(config['block_out_channels'])
    side, *rest = name.split('.')
    if side in ('quant_conv', 'post_quant_conv') or rest[0] in ('conv_in', 'conv_out'):
        return name
    if rest[0] == 'conv_norm_out':
        return f'{side}.norm_out.{rest[1]}'
    if rest[0] == 'mid_block':
        if rest[1] == 'resnets':
            return f'{side}.mid.block_{int(rest[2]) + 1}.' + vae_resnet(rest[3:])
        return f'{side}.mid.attn_1.{VAE_ATTENTION[".".join(rest[3:-1])]}.{rest[-1]}'
    level = int(rest[1])
    block = f'{side}.down.{level}' if side == 'encoder' else f'{side}.up.{levels - 1 - level}'
    if rest[2] == 'resnets':
        return f'{block}.block.{rest[3]}.' + vae_resnet(rest[4:])
    return f'{block}.{"down" if side == "encoder" else "up"}sample.conv.{rest[-1]}'


def vae_resnet(parts):
    return '.'.join(parts).replace('conv_shortcut', 'nin_shortcut')


def bare(name):
    return name.removeprefix('text_model.')


def open_clip_entries(tensors):
    """OpenCLIP's names; query, key and value are one matrix there."""
    entries = {}
    for name in tensors:
        short = bare(name)
        if short in OPEN_CLIP_TOP:
            entries[OPEN_CLIP_TOP[short]] = {'from': [name]}
            continue
        if 'position_ids' in short:
            continue
        _, _, layer, *rest = short.split('.')
        part, kind = '.'.join(rest[:-1]), rest[-1]
        prefix = f'transformer.resblocks.{layer}'
        if part in OPEN_CLIP_LAYER:
            entries[f'{prefix}.{OPEN_CLIP_LAYER[part]}.{kind}'] = {'from': [name]}
        elif part == 'self_attn.q_proj':
            entries[f'{prefix}.attn.in_proj_{kind}'] = {'from': [name.replace('q_proj', other) for other in ('q_proj', 'k_proj', 'v_proj')]}
    return entries


def full_size_keys(family, is_open_clip):
    """Names and shapes of a published checkpoint: the networks of its size, made without memory for their weights."""
    config = json.loads((FAMILIES / f'{family}.json').read_text())
    with torch.device('meta'):
        networks = {
            'unet': UNet2DConditionModel.from_config(config['unet']), 'vae': AutoencoderKL.from_config(config['vae']),
            'text_encoder': CLIPTextModel(CLIPTextConfig(**config['text_encoder'])),
        }
    shapes = {part: {name: tensor.shape for name, tensor in network.state_dict().items()} for part, network in networks.items()}
    configs = {part: config[part] for part in PARTS}
    keys = {}
    for name, entry in recipe_from(networks_tensors(networks), configs, is_open_clip).items():
        if 'from' in entry:
            parts = [shapes[source.split('/')[0]][source.split('/', 1)[1]] for source in entry['from']]
            keys[name] = entry.get('shape') or [sum(part[0] for part in parts), *parts[0][1:]]
        else:
            keys[name] = entry['zeros']
    if not is_open_clip:
        keys['cond_stage_model.transformer.text_model.embeddings.position_ids'] = [1, 77]
    return keys


def networks_tensors(networks):
    return {part: network.state_dict() for part, network in networks.items()}


def read_weights(folder):
    """The tensors of a component, in one file or in shards."""
    return {name: tensor for file in sorted(folder.glob('*.safetensors')) for name, tensor in load_file(file).items()}


def recipe_of(folder, is_open_clip):
    """Every tensor of the checkpoint: which tensors of the folder it is made of, or the shape of one that has no use."""
    tensors = {part: read_weights(folder / part) for part in PARTS}
    configs = {part: json.loads((folder / part / 'config.json').read_text()) for part in PARTS}
    return tensors, recipe_from(tensors, configs, is_open_clip)


def recipe_from(tensors, configs, is_open_clip):
    recipe = {}
    for name, tensor in tensors['unet'].items():
        recipe[f'model.diffusion_model.{unet_name(name, configs["unet"])}'] = {'from': [f'unet/{name}']}
    for name, tensor in tensors['vae'].items():
        entry = {'from': [f'vae/{name}']}
        if '.attentions.' in name and tensor.ndim == 2:
            entry['shape'] = [*tensor.shape, 1, 1]
        recipe[f'first_stage_model.{vae_name(name, configs["vae"])}'] = entry
    text = configs['text_encoder']
    if is_open_clip:
        prefix = 'cond_stage_model.model.'
        entries = open_clip_entries(tensors['text_encoder'])
        last = f'transformer.resblocks.{text["num_hidden_layers"]}.'
        for name, entry in list(entries.items()):
            if name.startswith('transformer.resblocks.0.'):
                entries[name.replace('transformer.resblocks.0.', last)] = entry
        width = text['hidden_size']
        recipe.update({f'{prefix}{name}': {'from': [f'text_encoder/{source}' for source in entry['from']]} for name, entry in entries.items()})
        recipe[f'{prefix}text_projection'] = {'zeros': [width, width]}
        recipe[f'{prefix}logit_scale'] = {'zeros': []}
    else:
        for name in tensors['text_encoder']:
            recipe[f'cond_stage_model.transformer.text_model.{bare(name)}'] = {'from': [f'text_encoder/{name}']}
    for table in TABLES:
        recipe[table] = {'zeros': [1000]}
    recipe['model_ema.decay'] = {'zeros': []}
    recipe['model_ema.num_updates'] = {'zeros': []}
    recipe['model_ema.diffusion_modelinput_blocks00weight'] = {'zeros': [2, 2]}
    return recipe


def assemble(tensors, recipe):
    checkpoint = {}
    for name, entry in recipe.items():
        if 'zeros' in entry:
            checkpoint[name] = torch.zeros(entry['zeros'])
            continue
        parts = [tensors[source.split('/')[0]][source.split('/', 1)[1]] for source in entry['from']]
        tensor = torch.cat(parts) if len(parts) > 1 else parts[0].clone()
        checkpoint[name] = tensor.reshape(entry['shape']) if 'shape' in entry else tensor
    return checkpoint


def prove(folder, file):
    """diffusers reads the checkpoint, and finds in it exactly what it finds in the folder."""
    variant = 'fp16' if list(folder.glob('vae/*.fp16.safetensors')) else None
    expected = StableDiffusionPipeline.from_pretrained(folder, variant=variant)
    found = StableDiffusionPipeline.from_single_file(str(file), config=str(folder), local_files_only=True)
    count = 0
    for part in PARTS:
        left, right = getattr(expected, part).state_dict(), getattr(found, part).state_dict()
        assert left.keys() == right.keys(), (part, left.keys() ^ right.keys())
        for name in left:
            assert torch.equal(left[name], right[name]), (part, name)
            count += 1
    return count


if __name__ == '__main__':
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, is_open_clip in (('sd1-tiny', False), ('sd2-tiny', True)):
        folder = REFERENCE / 'models' / name
        tensors, recipe = recipe_of(folder, is_open_clip)
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / f'{name}.safetensors'
            save_file(assemble(tensors, recipe), file)
            equal = prove(folder, file)
        text = ',\n'.join(f'  {json.dumps(key)}: {json.dumps(value)}' for key, value in sorted(recipe.items()))
        (TARGET / f'{name}.json').write_text(f'{{\n{text}\n}}\n')
        print(f'{name}: {len(recipe)} tensors, {equal} of them read by diffusers as in the folder')
    for family, is_open_clip in (('sd1', False), ('sd2', True)):
        keys = full_size_keys(family, is_open_clip)
        text = ',\n'.join(f'  {json.dumps(key)}: {json.dumps(list(shape))}' for key, shape in sorted(keys.items()))
        (TARGET / f'{family}-keys.json').write_text(f'{{\n{text}\n}}\n')
        unet = [shape for key, shape in keys.items() if key.startswith('model.diffusion_model.')]
        print(f'{family}: {len(keys)} tensors, {sum(math.prod(shape) for shape in unet)} values in the UNet')
