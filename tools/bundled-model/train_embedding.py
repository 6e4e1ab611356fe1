"""Learn an embedding (textual inversion): a few vectors that stand for a look in prompts, everything else frozen.

The denoiser can already draw the look, a style on a background; pictures alone tell the vectors which.

    python cache_latents.py --set arcade --look arcade --shards 2 --side 256
    python train_embedding.py --look arcade --minutes 6
"""

import argparse

import torch
from safetensors.torch import save_file

from common import device, launch, seed_all, work_path
from fit_addon import add_options, fit
from train_text_encoder import load_text_encoder, load_tokenizer, token_ids
from train_unet import Denoising
from unet import load_unet
from world.scene import COMBINED_LOOKS


class Learnt(torch.nn.Module):
    """The frozen text encoder with a few more ids behind its own; their vectors are learnt."""

    def __init__(self, text, count, first):
        super().__init__()
        table = text.get_input_embeddings()
        self.known, self.vectors = table.num_embeddings, torch.nn.Parameter(first.repeat(count, 1))
        with torch.no_grad():
            self.vectors.add_(0.1 * table.weight.std() * torch.randn_like(self.vectors))
        wider = torch.nn.Embedding.from_pretrained(torch.cat([table.weight, torch.zeros_like(self.vectors)]))
        wider.register_forward_hook(self._fill)
        text.set_input_embeddings(wider)

    def _fill(self, _, inputs, found):
        at = inputs[0] - self.known
        return torch.where((at >= 0)[..., None], self.vectors[at.clamp(min=0)].to(found.dtype), found)

    def ids(self):
        """The new ids in their order."""
        return self.known + torch.arange(len(self.vectors), device=self.vectors.device)


def with_token(ids, learnt, comma, end):
    """Token ids with the new ones in each caption: before all, or behind it, with a comma between or without."""
    out, length = [], ids.shape[1]
    for row in ids:
        stop = int((row == end).int().argmax())
        place = torch.rand(()).item()
        middle = row[1:stop]
        if place < 0.3:
            parts = (row[:1], learnt, comma, middle)
        elif place < 0.8:
            parts = (row[:1], middle, comma, learnt)
        else:
            parts = (row[:1], middle, learnt)
        said = torch.cat(parts)[:length - 1]
        out.append(torch.cat([said, row.new_full((length - len(said),), end)]))
    return torch.stack(out)


def train(rank, world, options):
    seed_all(83)
    tokenizer = load_tokenizer()
    text = load_text_encoder(tokenizer)
    start = token_ids(tokenizer, [options.start]).long()[0, 1].to(device())
    learnt = Learnt(text, options.vectors, text.get_input_embeddings().weight[start].detach()).to(device())
    unet, _ = load_unet(options.weights)
    unet = unet.to(device()).requires_grad_(False)
    empty, comma = (token_ids(tokenizer, [said]).long().to(device()) for said in ("", ","))
    denoising = Denoising(unet, unet, text, empty, learns_text=True)

    def loss_of(latents, ids):
        return denoising.loss(latents, with_token(ids, learnt.ids(), comma[0, 1:2], tokenizer.eos_token_id))

    fit(learnt, loss_of, f"embedding-{options.look}.pt", [options.look], rank, world, options)
    if rank == 0:
        # In float32: it is a few kilobytes.
        save_file({f"<{options.look}>": learnt.vectors.detach().cpu().contiguous()}, work_path(f"{options.look}.safetensors"))


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--look", choices=COMBINED_LOOKS, required=True, help="a set that cache_latents.py stored under its name")
    parser.add_argument("--vectors", type=int, default=4)
    parser.add_argument("--start", default="cartoon", help="the word whose vector they start from")
    parser.add_argument("--weights", default="unet-ema.pt", help="the denoiser that it is for")
    add_options(parser, minutes=6, muon=0.02, adam=1e-2, batch=16)
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
