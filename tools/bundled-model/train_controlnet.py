"""Train the edge ControlNet: a copy of the denoiser's encoder that sees the edges of the drawing whose latents it denoises.

Edges say nothing of colours, so the prompt goes on to decide them. Parts of the edges are wiped away, now and then all
of them, so that what is not drawn is the prompt's too.

Most of it is learnt on small pictures, which cost a quarter; a resumed run goes on with other sets.

    python cache_latents.py --set small-edges --edges --shards 8 --side 128
    python cache_latents.py --set edges --edges --shards 4 --side 256
    python train_controlnet.py --sets small-edges --minutes 15
    python train_controlnet.py --sets edges,small-edges --minutes 30 --resume
"""

import argparse

import torch
from diffusers import ControlNetModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from common import device, launch, seed_all, work_path
from fit_addon import add_options, fit
from train_text_encoder import load_text_encoder, load_tokenizer, token_ids
from train_unet import Denoising
from unet import load_unet

# Of the guide image from its full size down; each but the first halves it.
GUIDE_CHANNELS = (8, 16, 24, 32)
WIPED, EMPTY = 0.25, 0.05
# Below this timestep little is left to decide: such are drawn less often.
LATE, LATE_SHARE = 300, 0.3


class Controlled(torch.nn.Module):
    """The frozen denoiser with a ControlNet at full weight."""

    def __init__(self, unet, control):
        super().__init__()
        self.unet, self.control = unet, control

    def forward(self, latents, t, states, guide, return_dict=False):
        """The denoiser's output for latents under a guide image, 0 to 1."""
        maps, middle = self.control(latents, t, states, guide, return_dict=False)
        return self.unet(latents, t, states, down_block_additional_residuals=maps, mid_block_additional_residual=middle,
                         return_dict=return_dict)


def build_controlnet(unet):
    """The encoder's copy; it changes nothing yet."""
    control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=GUIDE_CHANNELS)
    control.set_attn_processor(AttnProcessor2_0() if device().type == "cuda" else AttnProcessor())
    return control


def guides(lines):
    """Edges (booleans) as guide images, some with a rectangle wiped away, few with nothing at all."""
    count, height, width = lines.shape
    draw = torch.rand(5, count, 1, 1, device=lines.device)
    y = torch.arange(height, device=lines.device).view(1, -1, 1) / height
    x = torch.arange(width, device=lines.device).view(1, 1, -1) / width
    inside = ((y - draw[0]).abs() < 0.1 + 0.25 * draw[1]) & ((x - draw[2]).abs() < 0.1 + 0.25 * draw[3])
    kept = lines & ~(inside & (draw[4] < WIPED + EMPTY)) & (draw[4] >= EMPTY)
    return kept[:, None].float().expand(-1, 3, -1, -1)


def train(rank, world, options):
    seed_all(83)
    unet, _ = load_unet(options.weights)
    unet = unet.to(device()).requires_grad_(False)
    control = build_controlnet(unet).to(device())
    tokenizer = load_tokenizer()
    empty = token_ids(tokenizer, [""]).long().to(device())
    controlled = Controlled(unet, control)
    denoising = Denoising(controlled, controlled, load_text_encoder(tokenizer), empty)
    denoising.weights[:LATE] *= LATE_SHARE

    def loss_of(latents, ids, lines):
        return denoising.loss(latents, ids, guide=guides(lines))

    fit(control, loss_of, "controlnet.pt", options.sets.split(","), rank, world, options)
    if rank == 0:
        control.half().save_pretrained(work_path("edges"))


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="edges", help="cached with --edges, by name, with commas")
    parser.add_argument("--weights", default="unet-ema.pt", help="the denoiser that it is for")
    add_options(parser, minutes=35, muon=0.01, adam=1e-3, batch=24)
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
