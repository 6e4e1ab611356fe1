"""Makes the small random-weight models of the SDXL family in test/reference/models: a base and a refiner.

As tools/reference/models.py, whose helpers it uses: complete diffusers folders with the structure of the published models.
Two text encoders of different widths, the second with a projection of yet another width; a UNet with an embedding of the
pooled text and of sizes, whose levels differ in transformer depth; the refiner has the second text encoder alone.

  python tools/reference/sdxl_models.py [NAME ...]
"""
import shutil
import sys

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from models import MODELS, calm_unet, randomize, write_json, write_weights
from tokenizer import write_tokenizer

EULER = {
    '_class_name': 'EulerDiscreteScheduler', 'beta_end': 0.012, 'beta_schedule': 'scaled_linear', 'beta_start': 0.00085,
    'clip_sample': False, 'interpolation_type': 'linear', 'num_train_timesteps': 1000, 'prediction_type': 'epsilon',
    'sample_max_value': 1.0, 'set_alpha_to_one': False, 'skip_prk_steps': True, 'steps_offset': 1,
    'timestep_spacing': 'leading', 'trained_betas': None, 'use_karras_sigmas': False,
}
TEXT_2 = {
    'hidden_size': 16, 'intermediate_size': 48, 'num_hidden_layers': 4, 'num_attention_heads': 2, 'projection_dim': 20,
    'hidden_act': 'gelu',
}
VAE = {
    'sample_size': 128, 'block_out_channels': (8, 8, 8, 8), 'layers_per_block': 1, 'norm_num_groups': 4,
    'scaling_factor': 0.13025, 'force_upcast': True,
    'down_block_types': ('DownEncoderBlock2D',) * 4, 'up_block_types': ('UpDecoderBlock2D',) * 4,
}
BASE = {
    'seed': 4004, 'class': 'StableDiffusionXLPipeline', 'index': {'force_zeros_for_empty_prompt': True},
    'text': {
        'hidden_size': 24, 'intermediate_size': 48, 'num_hidden_layers': 3, 'num_attention_heads': 2, 'projection_dim': 24,
        'hidden_act': 'quick_gelu',
    },
    # The published second encoder says 2, which means the highest id of a row.
    'text_2': {**TEXT_2, 'eos_token_id': 2},
    'unet': {
        'sample_size': 16, 'block_out_channels': (8, 16, 24), 'layers_per_block': 1, 'cross_attention_dim': 24 + 16,
        'attention_head_dim': (1, 2, 3), 'norm_num_groups': 4, 'use_linear_projection': True, 'transformer_layers_per_block': (1, 1, 2),
        'addition_embed_type': 'text_time', 'addition_time_embed_dim': 8, 'projection_class_embeddings_input_dim': 20 + 6 * 8,
        'down_block_types': ('DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'),
        'up_block_types': ('CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'),
    },
    'vae': VAE,
}
REFINER = {
    'seed': 5005, 'class': 'StableDiffusionXLImg2ImgPipeline',
    'index': {'force_zeros_for_empty_prompt': False, 'requires_aesthetics_score': True},
    'text_2': TEXT_2,
    'unet': {
        'sample_size': 16, 'block_out_channels': (8, 16, 16, 16), 'layers_per_block': 1, 'cross_attention_dim': 16,
        'attention_head_dim': (1, 2, 4, 4), 'norm_num_groups': 4, 'use_linear_projection': True, 'transformer_layers_per_block': 2,
        'addition_embed_type': 'text_time', 'addition_time_embed_dim': 8, 'projection_class_embeddings_input_dim': 20 + 5 * 8,
        'down_block_types': ('DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'),
        'up_block_types': ('UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'),
    },
    'vae': VAE,
}
RECIPES = {'sdxl-tiny': BASE, 'sdxl-refiner-tiny': REFINER}
# The second tokenizer of published models pads with the token of id 0.
PAD_TOKENS = {'tokenizer': '<|endoftext|>', 'tokenizer_2': '!'}
HOW = {'dtype': 'fp16'}


def text_encoder(make, settings, vocabulary_size):
    ids = {'bos_token_id': vocabulary_size - 2, 'eos_token_id': vocabulary_size - 1}
    return make(CLIPTextConfig(vocab_size=vocabulary_size, **{**ids, **settings}))


def write_text_encoder(folder, model):
    config = {key: value for key, value in model.config.to_diff_dict().items() if key not in ('transformers_version', 'dtype')}
    write_json(folder / 'config.json', {'architectures': [type(model).__name__], 'model_type': 'clip_text_model', **config})
    # `text_model.` in front, as the published files have it; the projection stands beside it.
    bare = {key.removeprefix('text_model.'): tensor for key, tensor in model.state_dict().items() if not key.endswith('position_ids')}
    named = {key if key.startswith('text_projection') else f'text_model.{key}': tensor for key, tensor in bare.items()}
    write_weights(folder, 'model', named, HOW)


def write_model(name):
    recipe = RECIPES[name]
    folder = MODELS / name
    shutil.rmtree(folder, ignore_errors=True)
    has_first = 'text' in recipe
    tokenizers = ('tokenizer', 'tokenizer_2') if has_first else ('tokenizer_2',)
    for each in tokenizers:
        vocabulary_size = write_tokenizer(folder / each, PAD_TOKENS[each])
    generator = torch.Generator().manual_seed(recipe['seed'])
    second = text_encoder(CLIPTextModelWithProjection, recipe['text_2'], vocabulary_size)
    unet = UNet2DConditionModel(**recipe['unet'])
    vae = AutoencoderKL(**recipe['vae'])
    for model in (second, unet, vae):
        randomize(model, generator)
    calm_unet(unet, 'epsilon')
    vae.decoder.conv_out.weight.data.mul_(0.6)
    write_text_encoder(folder / 'text_encoder_2', second.eval())
    if has_first:
        first = text_encoder(CLIPTextModel, recipe['text'], vocabulary_size)
        randomize(first, generator)
        write_text_encoder(folder / 'text_encoder', first.eval())
    for part, model in (('unet', unet), ('vae', vae)):
        model.save_config(folder / part)
        write_weights(folder / part, 'diffusion_pytorch_model', model.state_dict(), HOW)
    write_json(folder / 'scheduler' / 'scheduler_config.json', EULER)
    write_json(folder / 'model_index.json', {
        '_class_name': recipe['class'], '_diffusers_version': '0.42.1', **recipe['index'],
        'feature_extractor': [None, None], 'image_encoder': [None, None],
        'scheduler': ['diffusers', 'EulerDiscreteScheduler'],
        'text_encoder': ['transformers', 'CLIPTextModel'] if has_first else [None, None],
        'text_encoder_2': ['transformers', 'CLIPTextModelWithProjection'],
        'tokenizer': ['transformers', 'CLIPTokenizer'] if has_first else [None, None],
        'tokenizer_2': ['transformers', 'CLIPTokenizer'],
        'unet': ['diffusers', 'UNet2DConditionModel'], 'vae': ['diffusers', 'AutoencoderKL'],
    })
    size = sum(file.stat().st_size for file in folder.rglob('*') if file.is_file())
    print(f'{name}: {size / 1e3:.0f} kB, UNet of {sum(parameter.numel() for parameter in unet.parameters())} parameters')


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name in sys.argv[1:] or RECIPES:
        write_model(name)
