"""Writes what transformers and diffusers compute for each network of the SDXL family's reference models.

As tools/reference/components.py does for the other families, to the same folder and in the same form.

  OMP_NUM_THREADS=1 python tools/reference/sdxl_components.py [NAME ...]
"""
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from components import COMPONENTS, MAX_SKIPPED_LAYERS, PROMPTS, vae_decoder
from models import MODELS
from sdxl_models import RECIPES


class Parts:
    """The networks of a folder, loaded one by one: diffusers has no text-to-image pipeline for a refiner."""

    def __init__(self, name):
        folder = MODELS / name
        load = lambda make, part: make.from_pretrained(folder / part, torch_dtype=torch.float32).eval()
        self.has_first = (folder / 'text_encoder').exists()
        self.text_encoders = {'text_encoder_2': (CLIPTokenizer.from_pretrained(folder / 'tokenizer_2'), load(CLIPTextModelWithProjection, 'text_encoder_2'))}
        if self.has_first:
            self.text_encoders['text_encoder'] = (CLIPTokenizer.from_pretrained(folder / 'tokenizer'), load(CLIPTextModel, 'text_encoder'))
        self.unet = load(UNet2DConditionModel, 'unet')
        self.vae = load(AutoencoderKL, 'vae')


def text_states(tokenizer, encoder):
    """The penultimate states, which these models take, and those with 1 and 2 further layers skipped; no final norm."""
    tokens = tokenizer(list(PROMPTS), padding='max_length', max_length=77, truncation=True, return_tensors='pt')
    output = encoder(tokens.input_ids, output_hidden_states=True)
    out = {'input_ids': tokens.input_ids}
    for skipped in range(min(MAX_SKIPPED_LAYERS, encoder.config.num_hidden_layers - 1) + 1):
        out[f'hidden_states_{skipped}'] = output.hidden_states[-(skipped + 2)]
    if hasattr(output, 'text_embeds'):
        out['text_embeds'] = output.text_embeds
    return out


def unet(parts):
    """Three rows at different timesteps with contexts, pooled texts and sizes of their own; two see fewer tokens than there are."""
    generator = torch.Generator().manual_seed(7)
    config = parts.unet.config
    rows, tokens = 3, 20
    width = parts.text_encoders['text_encoder_2'][1].config.projection_dim
    ids = (config.projection_class_embeddings_input_dim - width) // config.addition_time_embed_dim
    sample = torch.randn((rows, config.in_channels, 8, 16), generator=generator)
    timestep = torch.tensor([0.0, 501.0, 999.0])
    context = torch.randn((rows, tokens, config.cross_attention_dim), generator=generator)
    text_embeds = torch.randn((rows, width), generator=generator)
    time_ids = torch.tensor([[1024, 1024, 0, 0, 1024, 768], [64, 128, 16, 8, 64, 128], [0, 0, 0, 0, 0, 0]]).float()[:, :ids]
    if ids == 5:
        time_ids[:, 4] = torch.tensor([6.0, 2.5, 0.0])
    bias = torch.zeros((rows, 1, 1, tokens))
    outputs = []
    for row, length in enumerate((tokens, 13, 5)):
        bias[row, :, :, length:] = -10000
        added = {'text_embeds': text_embeds[row:row + 1], 'time_ids': time_ids[row:row + 1]}
        outputs.append(parts.unet(sample[row:row + 1], timestep[row], context[row:row + 1, :length], added_cond_kwargs=added).sample)
    return {
        'sample': sample, 'timestep': timestep, 'encoder_hidden_states': context, 'encoder_attention_bias': bias,
        'text_embeds': text_embeds, 'time_ids': time_ids, 'out_sample': torch.cat(outputs),
    }


@torch.no_grad()
def write_components(name):
    parts = Parts(name)
    written = {component: text_states(*pair) for component, pair in parts.text_encoders.items()}
    pictures = vae_decoder(parts)
    written.update(unet=unet(parts), vae_decoder={key: pictures[key] for key in ('latents', 'image')})
    for component, tensors in written.items():
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, COMPONENTS / f'{name}.{component}.safetensors')
        print(name, component, {key: (tuple(tensor.shape), f'{tensor.float().std():.3f}') for key, tensor in tensors.items()})


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name in sys.argv[1:] or RECIPES:
        write_components(name)
