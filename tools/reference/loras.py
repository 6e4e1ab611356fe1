"""Makes small random LoRAs for the models of test/reference/models, and the pictures that diffusers makes with them.

Writes test/reference/loras/<name>.safetensors, one for each style of keys that trainers write, and
test/reference/lora-pictures/<number>.png with requests.json. diffusers reads the files by itself (load_lora_weights,
set_adapters); what it made of each layer is compared with the factors that were written, so that nothing of a file is
passed over silently.

  OMP_NUM_THREADS=1 python tools/reference/loras.py
"""
import json
import math
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

from pictures import MODELS, ROOT, picture

LORAS = ROOT / 'loras'
PICTURES = ROOT / 'lora-pictures'
DTYPES = {'fp32': torch.float32, 'fp16': torch.float16, 'bf16': torch.bfloat16}

# Which layers each LoRA has, by the ends of their names.
ATTENTION = ('to_q', 'to_k', 'to_v', 'to_out.0')
LINEAR = (*ATTENTION, 'proj_in', 'proj_out', 'ff.net.0.proj', 'ff.net.2')
EVERYTHING = (*LINEAR, 'conv1', 'conv2', 'conv_shortcut', 'time_emb_proj', 'conv', 'conv_in', 'conv_out', 'linear_1', 'linear_2')

# `alpha` is a factor on the rank; None writes none, 'metadata' puts it where diffusers puts it.
FILES = {
    'sd1-tiny-kohya': {'model': 'sd1-tiny', 'seed': 11, 'style': 'kohya', 'dtype': 'fp16', 'rank': 4, 'alpha': 0.5, 'unet': LINEAR, 'text': ('q_proj', 'out_proj', 'fc1')},
    'sd1-tiny-locon': {'model': 'sd1-tiny', 'seed': 12, 'style': 'kohya', 'dtype': 'bf16', 'rank': 3, 'alpha': 2, 'unet': EVERYTHING, 'text': (), 'ranks': {'conv1': 2, 'conv': 5}},
    'sd1-tiny-peft': {'model': 'sd1-tiny', 'seed': 13, 'style': 'peft', 'dtype': 'fp32', 'rank': 2, 'alpha': None, 'unet': ATTENTION, 'text': ('q_proj', 'v_proj')},
    'sd1-tiny-processor': {'model': 'sd1-tiny', 'seed': 14, 'style': 'processor', 'dtype': 'fp16', 'rank': 6, 'alpha': None, 'unet': ATTENTION, 'text': ()},
    'sd2-tiny-metadata': {'model': 'sd2-tiny', 'seed': 15, 'style': 'peft', 'dtype': 'fp16', 'rank': 4, 'alpha': 'metadata', 'unet': (*LINEAR, 'conv1'), 'text': ('v_proj', 'fc2')},
    'sd2-tiny-diffusers': {'model': 'sd2-tiny', 'seed': 16, 'style': 'diffusers', 'dtype': 'fp16', 'rank': 3, 'alpha': None, 'unet': LINEAR, 'text': ()},
}
METADATA_ALPHA = {'unet': 6, 'text_encoder': 3}


def layers_of(pipe, recipe):
    """(component, name, module) of the layers that a recipe adds to: of the UNet's every third, to keep files small.

    Of the text encoder's all with a name, in kohya's style out_proj among them: diffusers tells the style by that one.
    """
    def named(component, ends):
        return [(component, name, module) for name, module in getattr(pipe, component).named_modules()
                if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) and any(name == end or name.endswith(f'.{end}') for end in ends)]

    return named('unet', recipe['unet'])[recipe['seed'] % 3::3] + named('text_encoder', recipe['text'])


def factors(module, rank, generator, dtype):
    """Random down and up weights, rounded to what the file holds; together about a quarter of the layer's own weights."""
    out, inputs, *kernel = module.weight.shape
    down = torch.randn((rank, inputs, *kernel), generator=generator) / math.sqrt(inputs * math.prod(kernel))
    up = torch.randn((out, rank, *(1 for _ in kernel)), generator=generator) * 0.35 / math.sqrt(rank)
    return down.to(DTYPES[dtype]), up.to(DTYPES[dtype])


def keys_of(style, component, name):
    """The names of a layer's down and up weights and of its alpha."""
    if style == 'kohya':
        base = ('lora_unet_' if component == 'unet' else 'lora_te_text_model_') + name.replace('.', '_')
        return f'{base}.lora_down.weight', f'{base}.lora_up.weight', f'{base}.alpha'
    base = f'{component}.{name}' if component == 'unet' else f'{component}.text_model.{name}'
    if style == 'peft':
        return f'{base}.lora_A.weight', f'{base}.lora_B.weight', f'{base}.alpha'
    if style == 'diffusers':
        return f'{base}.lora.down.weight', f'{base}.lora.up.weight', f'{base}.alpha'
    attention, projection = base.removesuffix('.0').rsplit('.', 1)
    return tuple(f'{attention}.processor.{projection}_lora.{part}' for part in ('down.weight', 'up.weight')) + (f'{base}.alpha',)


def write_lora(pipe, name):
    """Writes a LoRA; gives what it adds to each layer's weights."""
    recipe = FILES[name]
    generator = torch.Generator().manual_seed(recipe['seed'])
    tensors, deltas = {}, {}
    for component, layer, module in layers_of(pipe, recipe):
        rank = recipe.get('ranks', {}).get(layer.rsplit('.', 1)[-1], recipe['rank'])
        down, up = factors(module, rank, generator, recipe['dtype'])
        down_key, up_key, alpha_key = keys_of(recipe['style'], component, layer)
        tensors[down_key], tensors[up_key] = down, up
        scale = 1.0
        if recipe['alpha'] == 'metadata':
            scale = METADATA_ALPHA[component] / rank
        elif recipe['alpha'] is not None:
            scale = recipe['alpha']
            tensors[alpha_key] = torch.tensor(scale * rank).to(DTYPES[recipe['dtype']])
        deltas[component, layer] = scale * torch.einsum('or,r...->o...', up.float().flatten(1), down.float())
    metadata = {'format': 'pt'}
    if recipe['alpha'] == 'metadata':
        config = {}
        for component in ('unet', 'text_encoder'):
            targets = [layer for each, layer in deltas if each == component]
            config.update({f'{component}.r': recipe['rank'], f'{component}.lora_alpha': METADATA_ALPHA[component], f'{component}.target_modules': targets})
        metadata['lora_adapter_metadata'] = json.dumps(config)
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, LORAS / f'{name}.safetensors', metadata=metadata)
    return deltas


def check_loaded(pipe, name, deltas):
    """That diffusers applies to every layer what was written, no more and no less."""
    found = {}
    for component in ('unet', 'text_encoder'):
        for layer, module in getattr(pipe, component).named_modules():
            if hasattr(module, 'lora_A') and name in module.lora_A:
                found[component, layer] = module.get_delta_weight(name)
    # Layers of like names get weights of zero from it.
    for layer in found.keys() | deltas.keys():
        assert layer in found, (name, layer)
        assert torch.allclose(found[layer], deltas.get(layer, torch.zeros(())), atol=1e-5), (name, layer)


def requests():
    base = {'prompt': 'a red cat on a hill', 'negativePrompt': 'blurry, dark', 'width': 64, 'height': 64, 'totalSteps': 6,
            'noiseScheduler': 'Default', 'guidanceScale': 4, 'clipSkip': 0}
    uses = [
        ('sd1-tiny', [], {}),
        ('sd1-tiny', [('sd1-tiny-kohya', 1)], {}),
        ('sd1-tiny', [('sd1-tiny-kohya', -1.5)], {'noiseScheduler': 'Euler'}),
        ('sd1-tiny', [('sd1-tiny-peft', 1)], {'noiseScheduler': 'DDIM'}),
        ('sd1-tiny', [('sd1-tiny-locon', 0.6)], {'guidanceScale': 1}),
        ('sd1-tiny', [('sd1-tiny-processor', 1.25)], {'width': 128}),
        ('sd1-tiny', [('sd1-tiny-kohya', 0.75), ('sd1-tiny-peft', 1.5)], {}),
        ('sd1-tiny', [('sd1-tiny-locon', -0.4), ('sd1-tiny-kohya', 0.5), ('sd1-tiny-processor', -1)], {'noiseScheduler': 'UniPC', 'clipSkip': 1}),
        ('sd1-tiny', [('sd1-tiny-peft', 4)], {'prompt': 'a blue house', 'negativePrompt': '', 'guidanceScale': 1}),
        ('sd2-tiny', [], {}),
        ('sd2-tiny', [('sd2-tiny-metadata', 1)], {}),
        ('sd2-tiny', [('sd2-tiny-diffusers', -1)], {'noiseScheduler': 'Euler', 'height': 128}),
        ('sd2-tiny', [('sd2-tiny-metadata', 0.5), ('sd2-tiny-diffusers', 1)], {'clipSkip': 1}),
    ]
    return [{'model': model, 'loras': [{'model': name, 'weight': weight} for name, weight in loras], **base, 'seed': 500 + number, **fields}
            for number, (model, loras, fields) in enumerate(uses)]


def main():
    torch.set_num_threads(1)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    LORAS.mkdir(exist_ok=True)
    pipes = {
        model: StableDiffusionPipeline.from_pretrained(ROOT / 'models' / model, torch_dtype=torch.float32, safety_checker=None, **options)
        for model, options in MODELS.items()
    }
    written = {name: write_lora(pipes[recipe['model']], name) for name, recipe in FILES.items()}
    for name, deltas in written.items():
        pipe = pipes[FILES[name]['model']]
        pipe.load_lora_weights(LORAS, weight_name=f'{name}.safetensors', adapter_name=name)
        check_loaded(pipe, name, deltas)
    plain = {}
    listed = requests()
    for number, request in enumerate(listed):
        pipe = pipes[request['model']]
        pipe.set_progress_bar_config(disable=True)
        names = [lora['model'] for lora in request['loras']]
        if names:
            pipe.enable_lora()
            pipe.set_adapters(names, [lora['weight'] for lora in request['loras']])
        else:
            pipe.disable_lora()
        image = picture(pipe, request)
        image.save(PICTURES / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f'{number:03} {request["model"]} {names}: values over {spread} of 255')
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (PICTURES / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
