"""Computes what weighted prompts and a learnt embedding become with SDXL's two text encoders, with compel's CompelForSDXL and with
diffusers' load_textual_inversion.

Writes into test/reference/sdxl-prompts: `embeddings/shine.safetensors`, `states.json`, and `states.safetensors` with the states and
the vector of each prompt.

  OMP_NUM_THREADS=1 python tools/reference/sdxl_prompts.py
"""
import json
import shutil

import torch
from compel import CompelForSDXL
from compel.diffusers_textual_inversion_manager import DiffusersTextualInversionManager
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file

from pictures import ROOT

FOLDER = ROOT / 'sdxl-prompts'
MODEL = 'sdxl-tiny'
LONG = 'a wide valley with a river, small houses, and a road that leads to the hills. birds over the water; clouds. ' * 2
PROMPTS = [
    ('a red cat on a hill', False), ('(a red cat)1.4 on a (hill)0.6', False), ('("a red cat", "a blue house").blend(1, 0.5)', False),
    ('("a red cat", "a blue house+").and()', False), (f'(cat)0.5 {LONG}', False), ('a shine++ over a (shine)0.7 lake', True),
]


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / 'embeddings').mkdir(parents=True)
    load = lambda: StableDiffusionXLPipeline.from_pretrained(ROOT / 'models' / MODEL, torch_dtype=torch.float32)
    generator = torch.Generator().manual_seed(78)
    widths = {'clip_l': 24, 'clip_g': 16}
    shine = {key: 0.5 * torch.randn(2, width, generator=generator) for key, width in widths.items()}
    save_file(shine, FOLDER / 'embeddings' / 'shine.safetensors')
    listed, tensors = [], {}
    for number, (prompt, has_embedding) in enumerate(PROMPTS):
        pipe = load()
        manager = None
        if has_embedding:
            pipe.load_textual_inversion({'shine': shine['clip_l']}, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
            pipe.load_textual_inversion({'shine': shine['clip_g']}, text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
            manager = DiffusersTextualInversionManager(pipe)
        encoded = CompelForSDXL(pipe, textual_inversion_manager=manager)(prompt)
        tensors[f'{number} states'] = encoded.embeds[0].contiguous()
        tensors[f'{number} whole'] = encoded.pooled_embeds[0].contiguous()
        listed.append({'model': MODEL, 'prompt': prompt, 'promptWeighting': 'compel', **({'embeddings': ['shine']} if has_embedding else {})})
    save_file(tensors, FOLDER / 'states.safetensors')
    lines = ',\n'.join(json.dumps(each) for each in listed)
    (FOLDER / 'states.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
