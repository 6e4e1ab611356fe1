"""Refine a trained denoiser: teach it to prefer drawings to its own pictures of the same captions.

What the usual training leaves wrong is what tells its pictures from drawings: an outline that bulges, a fish with two tails.
Each round makes pictures with the present weights, then trains against them (self-play fine-tuning, Yuan et al. 2024, with
the loss of Diffusion-DPO, Wallace et al. 2023), with the usual loss beside it. No judge has a part in it.

    python train_preference.py --rounds 2 --to unet-preferred.pt
"""

import argparse
import copy
import random as randoms

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DPMSolverMultistepScheduler

from cache_latents import latents_of, load_vae
from common import Ema, autocast, average_gradients, device, launch, seed_all
from export import SCHEDULER
from optimizer import Pair, warm_then_cool
from latent_store import NATIVE, as_many
from train_text_encoder import load_text_encoder, load_tokenizer, token_ids
from train_unet import Denoising
from unet import load_unet, save_weights
from world.captions import caption
from world.draw import draw
from world.scene import Mix, sample_scene

# Single objects and shaded ones are where outlines fail most.
MIX = Mix(counts=0.27, pairs=0.13, styles=(0.48, 0.16, 0.08, 0.28))
STEPS, GUIDANCE = 16, 5.0
# Shares of the steps.
SIZES = {NATIVE: 0.7, (128, 128): 0.14, (384, 256): 0.05, (256, 384): 0.05, (512, 512): 0.06}
# From this timestep on outlines are decided. Below it drawings differ from pictures by their texture, which is soon all that is learnt.
EARLY = 300
# How soon a difference counts as clear; the larger, the closer the weights stay to what they were.
BETA = 40.0
WARM_STEPS = 20


@torch.no_grad()
def own_latents(unet, states, nothing, size):
    """What the denoiser makes of these text states at this size: latents as a server's run with guidance leaves them."""
    scheduler = DPMSolverMultistepScheduler.from_config(SCHEDULER)
    scheduler.set_timesteps(STEPS)
    latents = torch.randn(len(states), 4, size[1] // 8, size[0] // 8, device=device())
    both = torch.cat([nothing.expand(len(states), -1, -1), states])
    for t in scheduler.timesteps:
        with autocast():
            without, named = unet(torch.cat([latents, latents]), t, both, return_dict=False)[0].float().chunk(2)
        latents = scheduler.step(without + GUIDANCE * (named - without), t, latents, return_dict=False)[0]
    return latents


def make_pairs(unet, denoising, tokenizer, random, count, batch, size):
    """Latents of drawings, latents of the denoiser's own pictures, and the token ids of the captions of both."""
    vae = load_vae()
    drawn, own, said = [], [], []
    for _ in range(-(-count // batch)):
        scenes = [sample_scene(random, MIX) for _ in range(batch)]
        ids = token_ids(tokenizer, [caption(scene, random, full=True).text for scene in scenes]).long().to(device())
        with torch.no_grad(), autocast():
            states, nothing = (denoising.text(i).last_hidden_state for i in (ids, denoising.empty))
        drawn.append(latents_of(vae, torch.from_numpy(np.stack([draw(scene, random, None, *size) for scene in scenes]))).to(device()))
        own.append(own_latents(unet, states, nothing, size))
        said.append(ids)
    return torch.cat(drawn).float(), torch.cat(own), torch.cat(said)


def loss_of(denoising, reference, drawn, own, ids):
    """Diffusion-DPO's loss where outlines are decided, and the usual one of the drawings; and how often drawings are preferred."""
    count = len(ids)
    ids = torch.where((torch.rand(count, device=ids.device) < 0.1)[:, None], denoising.empty, ids)
    t = torch.multinomial(denoising.weights, count, replacement=True)
    a = denoising.alphas[t].view(-1, 1, 1, 1).repeat(2, 1, 1, 1)
    noise = torch.randn_like(drawn).repeat(2, 1, 1, 1)
    latents = torch.cat([drawn, own])
    noisy, v = a.sqrt() * latents + (1 - a).sqrt() * noise, a.sqrt() * noise - (1 - a).sqrt() * latents

    def errors(unet):
        found = unet(noisy, t.repeat(2), states, return_dict=False)[0]
        return (found.float() - v).square().mean((1, 2, 3)).chunk(2)

    with autocast():
        with torch.no_grad():
            states = denoising.text(ids).last_hidden_state.repeat(2, 1, 1)
            drawn_before, own_before = errors(reference)
        drawn_now, own_now = errors(denoising.unet)
    # In shares of the error, so that all timesteps count alike.
    lead = 2 * ((own_now - own_before) - (drawn_now - drawn_before)) / (drawn_before + own_before)
    early = (t >= EARLY).float()
    preference = -(F.logsigmoid(BETA * lead) * early).sum() / early.sum().clamp(min=1)
    preferred = ((lead > 0) * early).sum() / early.sum().clamp(min=1)
    return preference / BETA + drawn_now.mean(), preferred.detach()


def train(rank, world, options):
    random, sizes = seed_all(97, rank), randoms.Random(97)
    unet, shape = load_unet(options.weights)
    unet = unet.to(device())
    tokenizer = load_tokenizer()
    empty = token_ids(tokenizer, [""]).long().to(device())
    denoising = Denoising(unet, unet, load_text_encoder(tokenizer), empty)
    for number in range(1, options.rounds + 1):
        reference = copy.deepcopy(unet).eval().requires_grad_(False)
        pairs = {size: make_pairs(reference, denoising, tokenizer, random, as_many(share * options.pairs / world, size),
                                  as_many(options.batch, size), size) for size, share in SIZES.items()}
        optimizer, ema = Pair(unet, options.muon, options.adam), Ema(unet, options.horizon)
        for step in range(options.steps):
            size, = sizes.choices(list(SIZES), SIZES.values())
            chosen = torch.randint(len(pairs[size][0]), (as_many(options.batch, size),), device=device())
            loss, preferred = loss_of(denoising, reference, *(part[chosen] for part in pairs[size]))
            loss.backward()
            average_gradients(list(unet.parameters()), world)
            optimizer.step(warm_then_cool(step / options.steps, step, WARM_STEPS))
            ema.update()
            if rank == 0 and (step + 1) % 50 == 0:
                print(f"round {number} step {step + 1} loss {loss.item():.4f} drawings preferred {preferred.item():.2f}", flush=True)
        unet.load_state_dict(ema.state)
        if rank == 0:
            save_weights(shape, ema.state, options.to)


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="unet-ema.pt", help="the denoiser to refine")
    parser.add_argument("--to", default="unet-preferred.pt", help="written after each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=1500, help="native ones, or what costs the same, made in each round by all processes")
    parser.add_argument("--steps", type=int, default=200, help="of training in each round")
    parser.add_argument("--batch", type=int, default=16, help="native pairs a process and step, or what costs the same")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--muon", type=float, default=0.0007)
    parser.add_argument("--adam", type=float, default=3e-5)
    parser.add_argument("--horizon", type=int, default=100, help="of the EMA, in steps")
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
