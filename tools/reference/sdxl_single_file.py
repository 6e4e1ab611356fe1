"""Writes how the small SDXL models look as single-file checkpoints with the original key names, to test/reference/single-file.

As tools/reference/single_file.py does for the other families, whose helpers it uses; diffusers' own loader confirms it. There
is one difference in the form: `"transposed": true` marks a matrix that lies transposed in the checkpoint.

  python tools/reference/sdxl_single_file.py
"""
import json
import math
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

import single_file
from single_file import FAMILIES, REFERENCE, TARGET, bare, open_clip_entries, read_weights, unet_name, vae_name

# model: where its text encoders lie in the checkpoint, whether in OpenCLIP's form, and the pipeline that reads it
MODELS = {
    'sdxl-tiny': ({'text_encoder': ('embedders.0.transformer.', False), 'text_encoder_2': ('embedders.1.model.', True)}, StableDiffusionXLPipeline),
    'sdxl-refiner-tiny': ({'text_encoder_2': ('embedders.0.model.', True)}, StableDiffusionXLImg2ImgPipeline),
}
PUBLISHED = {'sdxl': 'sdxl-tiny', 'sdxl-refiner': 'sdxl-refiner-tiny'}
single_file.TOP.update({'add_embedding.linear_1': 'label_emb.0.0', 'add_embedding.linear_2': 'label_emb.0.2'})


def recipe_from(tensors, configs, places):
    recipe = {}
    for name in tensors['unet']:
        recipe[f'model.diffusion_model.{unet_name(name, configs["unet"])}'] = {'from': [f'unet/{name}']}
    for name, tensor in tensors['vae'].items():
        entry = {'from': [f'vae/{name}']}
        if '.attentions.' in name and tensor.ndim == 2:
            entry['shape'] = [*tensor.shape, 1, 1]
        recipe[f'first_stage_model.{vae_name(name, configs["vae"])}'] = entry
    for part, (place, is_open_clip) in places.items():
        prefix = f'conditioner.{place}'
        if not is_open_clip:
            for name in tensors[part]:
                recipe[f'{prefix}text_model.{bare(name)}'] = {'from': [f'{part}/{name}']}
            recipe[f'{prefix}text_model.embeddings.position_ids'] = {'zeros': [1, 77]}
            continue
        encoder = {name: tensor for name, tensor in tensors[part].items() if not name.startswith('text_projection')}
        for name, entry in open_clip_entries(encoder).items():
            recipe[f'{prefix}{name}'] = {'from': [f'{part}/{source}' for source in entry['from']]}
        recipe[f'{prefix}text_projection'] = {'from': [f'{part}/text_projection.weight'], 'transposed': True}
        recipe[f'{prefix}logit_scale'] = {'zeros': []}
    recipe['denoiser.sigmas'] = {'zeros': [1000]}
    return recipe


def assemble(tensors, recipe):
    checkpoint = {}
    for name, entry in recipe.items():
        if 'zeros' in entry:
            checkpoint[name] = torch.zeros(entry['zeros'])
            continue
        parts = [tensors[source.split('/')[0]][source.split('/', 1)[1]] for source in entry['from']]
        tensor = torch.cat(parts) if len(parts) > 1 else parts[0].clone()
        tensor = tensor.T.contiguous() if entry.get('transposed') else tensor
        checkpoint[name] = tensor.reshape(entry['shape']) if 'shape' in entry else tensor
    return checkpoint


def prove(folder, file, parts, pipeline):
    """diffusers reads the checkpoint, and finds in it exactly what it finds in the folder."""
    expected = pipeline.from_pretrained(folder)
    found = pipeline.from_single_file(str(file), config=str(folder), local_files_only=True)
    count = 0
    for part in parts:
        left, right = getattr(expected, part).state_dict(), getattr(found, part).state_dict()
        assert left.keys() == right.keys(), (part, left.keys() ^ right.keys())
        for name in left:
            assert torch.allclose(left[name].float(), right[name].float()), (part, name)
            count += 1
    return count


def full_size_keys(family, places):
    """Names and shapes of a published checkpoint: the networks of its size, made without memory for their weights."""
    config = json.loads((FAMILIES / f'{family}.json').read_text())
    makers = {'text_encoder': CLIPTextModel, 'text_encoder_2': CLIPTextModelWithProjection}
    with torch.device('meta'):
        networks = {'unet': UNet2DConditionModel.from_config(config['unet']), 'vae': AutoencoderKL.from_config(config['vae'])}
        networks.update({part: makers[part](CLIPTextConfig(**config[part])) for part in places})
    tensors = {part: {name: tensor for name, tensor in network.state_dict().items() if 'position_ids' not in name} for part, network in networks.items()}
    keys = {}
    for name, entry in recipe_from(tensors, config, places).items():
        if 'zeros' in entry:
            keys[name] = entry['zeros']
            continue
        parts = [tensors[source.split('/')[0]][source.split('/', 1)[1]].shape for source in entry['from']]
        shape = entry.get('shape') or [sum(part[0] for part in parts), *parts[0][1:]]
        keys[name] = shape[::-1] if entry.get('transposed') else shape
    return keys


def write_lines(name, entries):
    text = ',\n'.join(f'  {json.dumps(key)}: {json.dumps(value)}' for key, value in sorted(entries.items()))
    (TARGET / f'{name}.json').write_text(f'{{\n{text}\n}}\n')


if __name__ == '__main__':
    for name, (places, pipeline) in MODELS.items():
        folder = REFERENCE / 'models' / name
        parts = ('unet', 'vae', *places)
        tensors = {part: read_weights(folder / part) for part in parts}
        configs = {part: json.loads((folder / part / 'config.json').read_text()) for part in ('unet', 'vae')}
        recipe = recipe_from(tensors, configs, places)
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / f'{name}.safetensors'
            save_file(assemble(tensors, recipe), file)
            equal = prove(folder, file, parts, pipeline)
        write_lines(name, recipe)
        print(f'{name}: {len(recipe)} tensors, {equal} of them read by diffusers as in the folder')
    for family, model in PUBLISHED.items():
        keys = full_size_keys(family, MODELS[model][0])
        write_lines(f'{family}-keys', {key: list(shape) for key, shape in keys.items()})
        unet = [shape for key, shape in keys.items() if key.startswith('model.diffusion_model.')]
        print(f'{family}: {len(keys)} tensors, {sum(math.prod(shape) for shape in unet)} values in the UNet')
