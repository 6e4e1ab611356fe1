"""Makes small random LoRAs for the SDXL model of test/reference/models, and the pictures that diffusers makes with them.

As tools/reference/loras.py, whose helpers it uses; the files lie beside its own, the pictures in test/reference/sdxl-lora-pictures.
`sdxl-tiny-kohya` has the names trainers give SDXL's layers: those of the original checkpoints, and `te1`, `te2`.

  OMP_NUM_THREADS=1 python tools/reference/sdxl_loras.py
"""
import json
import shutil

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

import single_file
from loras import DTYPES, LINEAR, LORAS, ROOT, factors
from sdxl_pictures import BASE, REFINER, picture

PICTURES = ROOT / 'sdxl-lora-pictures'
ENCODERS = {'text_encoder': 'lora_te1_', 'text_encoder_2': 'lora_te2_'}
FILES = {
    'sdxl-tiny-kohya': {'seed': 31, 'dtype': 'fp16', 'rank': 4, 'alpha': 0.5, 'unet': (*LINEAR, 'conv1'), 'text': ('q_proj', 'out_proj', 'fc1')},
    'sdxl-tiny-peft': {'seed': 32, 'dtype': 'fp16', 'rank': 2, 'alpha': None, 'unet': ('to_q', 'to_v', 'to_out.0'), 'text': ('v_proj',)},
}


def layers_of(pipe, recipe):
    """(component, name, module) of the layers that a recipe adds to: of the UNet's every other, to keep files small."""
    def named(component, ends):
        return [(component, name, module) for name, module in getattr(pipe, component).named_modules()
                if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) and any(name.endswith(f'.{end}') for end in ends)]

    unet = named('unet', recipe['unet'])
    return unet[recipe['seed'] % 2::2] + [layer for component in ENCODERS for layer in named(component, recipe['text'])]


def keys_of(pipe, name, component, layer):
    """The names of a layer's down and up weights and of its alpha."""
    if name == 'sdxl-tiny-peft':
        base = f'{component}.{layer}' if component == 'unet' else f'{component}.text_model.{layer.removeprefix("text_model.")}'
        return f'{base}.lora_A.weight', f'{base}.lora_B.weight', f'{base}.alpha'
    if component == 'unet':
        original = single_file.unet_name(f'{layer}.weight', pipe.unet.config).removesuffix('.weight')
        base = f'lora_unet_{original.replace(".", "_")}'
    else:
        base = f'{ENCODERS[component]}text_model_{layer.removeprefix("text_model.").replace(".", "_")}'
    return f'{base}.lora_down.weight', f'{base}.lora_up.weight', f'{base}.alpha'


def write_lora(pipe, name):
    """Writes a LoRA; gives what it adds to each layer's weights."""
    recipe = FILES[name]
    generator = torch.Generator().manual_seed(recipe['seed'])
    tensors, deltas = {}, {}
    for component, layer, module in layers_of(pipe, recipe):
        down, up = factors(module, recipe['rank'], generator, recipe['dtype'])
        down_key, up_key, alpha_key = keys_of(pipe, name, component, layer)
        tensors[down_key], tensors[up_key] = down, up
        scale = recipe['alpha'] or 1
        if recipe['alpha']:
            tensors[alpha_key] = torch.tensor(scale * recipe['rank']).to(DTYPES[recipe['dtype']])
        deltas[component, layer] = scale * torch.einsum('or,r...->o...', up.float().flatten(1), down.float())
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, LORAS / f'{name}.safetensors', metadata={'format': 'pt'})
    return deltas


def check_loaded(pipe, name, deltas):
    """That diffusers applies to every layer what was written, no more and no less."""
    found = {
        (component, layer): module.get_delta_weight(name)
        for component in ('unet', *ENCODERS) for layer, module in getattr(pipe, component).named_modules()
        if hasattr(module, 'lora_A') and name in module.lora_A
    }
    for layer in found.keys() | deltas.keys():
        assert layer in found, (name, layer)
        assert torch.allclose(found[layer], deltas.get(layer, torch.zeros(())), atol=1e-5), (name, layer)


def requests():
    base = {'model': BASE, 'prompt': 'a red cat on a hill', 'negativePrompt': 'blurry, dark', 'width': 64, 'height': 64, 'totalSteps': 6,
            'noiseScheduler': 'Default', 'guidanceScale': 4, 'clipSkip': 0}
    uses = [
        ([('sdxl-tiny-kohya', 1)], {}),
        ([('sdxl-tiny-peft', 1)], {'negativePrompt': '', 'clipSkip': 1}),
        ([('sdxl-tiny-kohya', -1), ('sdxl-tiny-peft', 1.5)], {'noiseScheduler': 'UniPC', 'height': 128}),
        ([('sdxl-tiny-peft', 2)], {'guidanceScale': 1, 'noiseScheduler': 'Euler a'}),
        ([('sdxl-tiny-kohya', 1)], {'refiner': {'model': REFINER, 'startStep': 4}}),
    ]
    return [{'loras': [{'model': name, 'weight': weight} for name, weight in loras], **base, 'seed': 800 + number, **fields}
            for number, (loras, fields) in enumerate(uses)]


def main():
    torch.set_num_threads(1)
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    pipes = {
        name: make.from_pretrained(ROOT / 'models' / name, torch_dtype=torch.float32, add_watermarker=False)
        for name, make in ((BASE, StableDiffusionXLPipeline), (REFINER, StableDiffusionXLImg2ImgPipeline))
    }
    for pipe in pipes.values():
        pipe.set_progress_bar_config(disable=True)
    pipe = pipes[BASE]
    written = {name: write_lora(pipe, name) for name in FILES}
    for name, deltas in written.items():
        pipe.load_lora_weights(LORAS, weight_name=f'{name}.safetensors', adapter_name=name)
        check_loaded(pipe, name, deltas)
    listed = requests()
    for number, request in enumerate(listed):
        pipe.set_adapters([lora['model'] for lora in request['loras']], [lora['weight'] for lora in request['loras']])
        image = picture(pipes, request)
        image.save(PICTURES / f'{number:03}.png', optimize=True)
        spread = max(high - low for low, high in image.getextrema())
        print(f'{number:03} {request["loras"]}: values over {spread} of 255')
        assert spread > 30, 'a flat picture proves nothing'
    lines = ',\n'.join(json.dumps(request) for request in listed)
    (PICTURES / 'requests.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
