"""Computes what prompts in sd_embed's syntax become with SDXL's two text encoders, with sd_embed's arithmetic written down here: the
last state but one of each encoder side by side, times each token's weight, in chunks of 75 between start and end that the end token
fills up; the vector of the whole text is the second encoder's.

Writes test/reference/sdxl-sd-embeds.

  OMP_NUM_THREADS=1 python tools/reference/sdxl_sd_embeds.py
"""
import json

import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file

from pictures import ROOT

FOLDER = ROOT / 'sdxl-sd-embeds'
MODEL = 'sdxl-tiny'
LONG = 'a wide valley with a river and small houses, birds over the water and clouds behind the mountains, ' * 4
# Each prompt, and by hand what it means.
PROMPTS = [
    ('a (red:1.5) cat', [('a', 1), ('red', 1.5), ('cat', 1)]),
    ('[a red cat] on a ((hill))', [('a red cat', 1 / 1.1), ('on a', 1), ('hill', 1.1 * 1.1)]),
    (f'(birds:0.4) {LONG}', [('birds', 0.4), (LONG, 1)]),
]


@torch.no_grad()
def encode(pipe, weighted):
    chunks_of = []
    for tokenizer in (pipe.tokenizer, pipe.tokenizer_2):
        tokens = [(token, weight) for text, weight in weighted for token in tokenizer(text, truncation=False).input_ids[1:-1]]
        chunks_of.append([tokens[i:i + 75] for i in range(0, len(tokens), 75)])
    states, whole = [], None
    for chunks in zip(*chunks_of, strict=True):
        sides = []
        for chunk, tokenizer, encoder in zip(chunks, (pipe.tokenizer, pipe.tokenizer_2), (pipe.text_encoder, pipe.text_encoder_2), strict=True):
            padding = [tokenizer.eos_token_id] * (75 - len(chunk))
            out = encoder(torch.tensor([[tokenizer.bos_token_id, *(token for token, _ in chunk), *padding, tokenizer.eos_token_id]]), output_hidden_states=True)
            sides.append(out.hidden_states[-2][0])
        whole = out[0][0] if whole is None else whole
        weights = torch.tensor([1, *(weight for _, weight in chunks[0]), *(1 for _ in padding), 1], dtype=torch.float32)
        states.append(torch.cat(sides, dim=-1) * weights[:, None])
    return torch.cat(states), whole


def main():
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    pipe = StableDiffusionXLPipeline.from_pretrained(ROOT / 'models' / MODEL, torch_dtype=torch.float32)
    tensors = {}
    for number, (_, weighted) in enumerate(PROMPTS):
        states, whole = encode(pipe, weighted)
        tensors |= {f'{number} states': states.contiguous(), f'{number} whole': whole.contiguous()}
        print(number, tuple(states.shape))
    save_file(tensors, FOLDER / 'states.safetensors')
    lines = ',\n'.join(json.dumps({'prompt': prompt, 'promptWeighting': 'sdEmbeds'}) for prompt, _ in PROMPTS)
    (FOLDER / 'states.json').write_text(f'[\n{lines}\n]\n')


if __name__ == '__main__':
    main()
