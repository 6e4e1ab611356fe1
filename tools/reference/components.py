"""Writes what transformers and diffusers compute for each network of the reference models, to test/reference/components.

One safetensors file per model and network with the inputs and outputs, all computed in float32 on the weights as stored.

  OMP_NUM_THREADS=1 python tools/reference/components.py [NAME ...]
"""
import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from diffusers.image_processor import VaeImageProcessor
from safetensors.torch import save_file

from models import FOLDERS, MODELS

COMPONENTS = MODELS.parent / 'components'
PROMPTS = ('', 'a photo of a red cat under two yellow moons at night', 'Zwölf Boxkämpfer jagen Viktor, quer über den großen Sylter Deich; 漢字!')
MAX_SKIPPED_LAYERS = 2


def load(name):
    how = FOLDERS[name]
    pipeline = StableDiffusionPipeline.from_pretrained(MODELS / name, variant=how.get('variant'), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def text_encoder(pipeline):
    """The states with 0, 1 and 2 layers skipped, through the final layer norm, as the pipeline's clip_skip takes them."""
    tokens = pipeline.tokenizer(list(PROMPTS), padding='max_length', max_length=77, truncation=True, return_tensors='pt')
    encoder = pipeline.text_encoder
    model = getattr(encoder, 'text_model', encoder)
    states = encoder(tokens.input_ids, output_hidden_states=True).hidden_states
    out = {'input_ids': tokens.input_ids}
    for skipped in range(min(MAX_SKIPPED_LAYERS, encoder.config.num_hidden_layers) + 1):
        out[f'hidden_states_{skipped}'] = model.final_layer_norm(states[-1 - skipped])
    assert torch.allclose(out['hidden_states_0'], encoder(tokens.input_ids)[0], atol=1e-6)
    return out


def unet(pipeline):
    """Three rows at different timesteps with contexts of their own; the last two see fewer tokens than there are."""
    generator = torch.Generator().manual_seed(7)
    config = pipeline.unet.config
    rows, tokens = 3, 20
    sample = torch.randn((rows, config.in_channels, 8, 16), generator=generator)
    timestep = torch.tensor([0.0, 501.0, 999.0])
    context = torch.randn((rows, tokens, config.cross_attention_dim), generator=generator)
    bias = torch.zeros((rows, 1, 1, tokens))
    lengths = (tokens, 13, 5)
    outputs = []
    for row, length in enumerate(lengths):
        bias[row, :, :, length:] = -10000
        # Alone and with nothing but the tokens it has: what masking and batching must give.
        outputs.append(pipeline.unet(sample[row:row + 1], timestep[row], context[row:row + 1, :length]).sample)
    return {'sample': sample, 'timestep': timestep, 'encoder_hidden_states': context, 'encoder_attention_bias': bias, 'out_sample': torch.cat(outputs)}


def vae_decoder(pipeline):
    """Pictures as the pipeline hands them out, and the decoder's own numbers before clamping and rounding."""
    generator = torch.Generator().manual_seed(8)
    vae = pipeline.vae
    latents = torch.randn((2, vae.config.latent_channels, 8, 4), generator=generator) * torch.tensor([1.0, 4.0]).view(2, 1, 1, 1)
    unscaled = latents / vae.config.scaling_factor + (vae.config.shift_factor or 0)
    decoded = vae.decode(unscaled).sample
    pictures = VaeImageProcessor().postprocess(decoded, output_type='np')
    image = torch.from_numpy((pictures * 255).round().astype('uint8'))
    return {'latents': latents, 'decoded': decoded, 'image': image}


@torch.no_grad()
def write_components(name):
    pipeline = load(name)
    for part in (text_encoder, unet, vae_decoder):
        tensors = {key: tensor.contiguous() for key, tensor in part(pipeline).items()}
        COMPONENTS.mkdir(parents=True, exist_ok=True)
        save_file(tensors, COMPONENTS / f'{name}.{part.__name__}.safetensors')
        print(name, part.__name__, {key: (tuple(tensor.shape), f'{tensor.float().std():.3f}') for key, tensor in tensors.items()})


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name in sys.argv[1:] or FOLDERS:
        write_components(name)
