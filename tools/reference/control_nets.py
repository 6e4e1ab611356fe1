"""Makes small random-weight ControlNets for the models of test/reference/models, and what diffusers computes with them alone.

Writes test/reference/control-nets/<name>/ (diffusers folders) and test/reference/components/<name>.control_net.safetensors:
the inputs of the network, and the maps it gives for them. Their weights are drawn like the models' own; what a trained
ControlNet starts from, zero convolutions, is random too, or nothing would be seen.

Beside them test/reference/single-file/sd1-tiny-edges.json says how that ControlNet looks under the names of the original
code, each with the tensor of the folder that it is: diffusers' own `from_single_file` must read from such a file what the
folder holds. sd1-control-net-keys.json lists names and shapes of one of the published size.

  python tools/reference/control_nets.py
"""
import json
import shutil
import tempfile
from pathlib import Path

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from models import MODELS, cast, randomize
from single_file import FAMILIES, TARGET, unet_name

CONTROL_NETS = MODELS.parent / 'control-nets'
COMPONENTS = MODELS.parent / 'components'
GUIDE_CHANNELS = (4, 6, 8, 12)

# `gain` keeps what a net adds in proportion to the maps it is added to.
RECIPES = {
    'sd1-tiny-edges': {'model': 'sd1-tiny', 'seed': 41, 'gain': 0.6},
    'sd1-tiny-depth': {'model': 'sd1-tiny', 'seed': 42, 'gain': 0.5, 'isCompared': False},
    'sd2-tiny-edges': {'model': 'sd2-tiny', 'seed': 43, 'gain': 0.6, 'controlnet_conditioning_channel_order': 'bgr'},
    'sd2-tiny-shuffle': {'model': 'sd2-tiny', 'seed': 44, 'gain': 1.2, 'global_pool_conditions': True},
    'sdxl-tiny-edges': {'model': 'sdxl-tiny', 'seed': 45, 'gain': 0.6},
}


def make(model, seed, gain, global_pool_conditions=False, **options):
    """A ControlNet of the structure of a model's UNet."""
    config = {key: value for key, value in json.loads((MODELS / model / 'unet' / 'config.json').read_text()).items() if not key.startswith('_')}
    # A network for inpainting has the mask and the masked picture behind the latents; its ControlNets have not.
    unet = UNet2DConditionModel(**{**config, 'in_channels': 4})
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=GUIDE_CHANNELS, load_weights_from_unet=False, **options)
    net.register_to_config(global_pool_conditions=global_pool_conditions)
    randomize(net, torch.Generator().manual_seed(seed))
    for block in (*net.controlnet_down_blocks, net.controlnet_mid_block):
        block.weight.data.mul_(gain)
    net.controlnet_cond_embedding.conv_out.weight.data.mul_(2)
    return net.eval()


def write(name, recipe):
    folder = CONTROL_NETS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    net = make(**recipe)
    net.save_config(folder)
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps({key: value for key, value in config.items() if key != '_name_or_path'}, indent=2, sort_keys=True) + '\n')
    save_file(cast(net.state_dict(), 'fp16'), folder / 'diffusion_pytorch_model.safetensors', metadata={'format': 'pt'})


@torch.no_grad()
def component(name):
    """Two rows at different timesteps, each alone with the tokens it has, its own guide image and its own scale."""
    net = ControlNetModel.from_pretrained(CONTROL_NETS / name, torch_dtype=torch.float32)
    generator = torch.Generator().manual_seed(9)
    rows, tokens, height, width = 2, 12, 8, 16
    sample = torch.randn((rows, net.config.in_channels, height, width), generator=generator)
    timestep = torch.tensor([11.0, 901.0])
    context = torch.randn((rows, tokens, net.config.cross_attention_dim), generator=generator)
    guide = torch.randint(0, 256, (rows, height * 8, width * 8, 3), generator=generator, dtype=torch.uint8)
    lengths, weights = (tokens, 5), (1.0, 0.4)
    added = added_conditions(net.config, generator)
    bias = torch.zeros((rows, 1, 1, tokens))
    parts = []
    for row, (length, weight) in enumerate(zip(lengths, weights)):
        bias[row, :, :, length:] = -10000
        image = guide[row:row + 1].permute(0, 3, 1, 2).float() / 255
        down, middle = net(
            sample[row:row + 1], timestep[row], context[row:row + 1, :length], image, conditioning_scale=weight, return_dict=False,
            added_cond_kwargs={key: values[row:row + 1] for key, values in added.items()})
        parts.append([*down, middle])
    maps = [torch.cat(each) for each in zip(*parts)]
    scale = torch.tensor(weights).view(rows, 1).repeat(1, len(maps))
    tensors = {
        'sample': sample, 'timestep': timestep, 'encoder_hidden_states': context, 'encoder_attention_bias': bias,
        'control_guide_0': guide, 'control_scale_0': scale, **added, **{f'residual_{index}': each for index, each in enumerate(maps)},
    }
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, COMPONENTS / f'{name}.control_net.safetensors')
    print(name, sum(parameter.numel() for parameter in net.parameters()), [f'{each.std():.2f}' for each in maps])


def added_conditions(config, generator):
    """What SDXL's networks are told besides the timestep."""
    if config.addition_embed_type is None:
        return {}
    ids = torch.tensor([[1024.0, 1024, 0, 0, 1024, 768], [64, 128, 16, 8, 64, 128]])
    width = config.projection_class_embeddings_input_dim - ids.shape[1] * config.addition_time_embed_dim
    return {'text_embeds': torch.randn((2, width), generator=generator), 'time_ids': ids}


def original_name(name, config):
    """The original name of a ControlNet's tensor; the embedding's convolutions have activations between them."""
    head, rest = name.split('.', 1)
    if head == 'controlnet_cond_embedding':
        part, *_, kind = rest.split('.')
        blocks = 2 * (len(config['conditioning_embedding_out_channels']) - 1)
        place = {'conv_in': 0, 'conv_out': 2 * blocks + 2}.get(part)
        return f'input_hint_block.{2 * int(rest.split(".")[1]) + 2 if place is None else place}.{kind}'
    if head == 'controlnet_down_blocks':
        place, kind = rest.split('.')
        return f'zero_convs.{place}.0.{kind}'
    return f'middle_block_out.0.{rest}' if head == 'controlnet_mid_block' else unet_name(name, config)


def single_file(name):
    folder = CONTROL_NETS / name
    config = json.loads((folder / 'config.json').read_text())
    stored = load_file(folder / 'diffusion_pytorch_model.safetensors')
    names = {f'control_model.{original_name(each, config)}': each for each in stored}
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / f'{name}.safetensors'
        save_file({original: stored[each] for original, each in names.items()}, file)
        found = ControlNetModel.from_single_file(str(file), config=str(folder), local_files_only=True, torch_dtype=torch.float16).state_dict()
    assert found.keys() == stored.keys()
    assert all(torch.equal(found[each], stored[each]) for each in stored)
    write_json(TARGET / f'{name}.json', names)


def full_size_keys(family):
    config = {key: value for key, value in json.loads((FAMILIES / f'{family}.json').read_text())['unet'].items() if not key.startswith('_')}
    with torch.device('meta'):
        net = ControlNetModel.from_unet(UNet2DConditionModel(**config), load_weights_from_unet=False)
    write_json(TARGET / f'{family}-control-net-keys.json', {
        f'control_model.{original_name(name, net.config)}': list(tensor.shape) for name, tensor in net.state_dict().items()})


def write_json(file, entries):
    text = ',\n'.join(f'  {json.dumps(key)}: {json.dumps(value)}' for key, value in sorted(entries.items()))
    file.write_text(f'{{\n{text}\n}}\n')


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name, recipe in RECIPES.items():
        write(name, {key: value for key, value in recipe.items() if key != 'isCompared'})
        if recipe.get('isCompared', True):
            component(name)
    single_file('sd1-tiny-edges')
    full_size_keys('sd1')
