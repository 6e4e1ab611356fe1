"""Draw pictures and store their latents with the text states of two captions each.

The second caption describes the mirrored picture. Shards are written one by one; training may start
with the first and picks up later ones.

    python cache_latents.py --shards 20
"""

import argparse
import os
from dataclasses import replace

import numpy as np
import torch

from common import autocast, device, launch, load, save, seed_all, work_path
from train_text_encoder import LENGTH, build_text_encoder, load_tokenizer
from train_vae import build_vae
from world.captions import caption
from world.draw import draw
from world.scene import Mix, sample_scene

SHARD = 1000
BATCH = 50


def mirrored(scene):
    """The scene seen in a mirror: only a pair side by side changes its order."""
    return replace(scene, objects=scene.objects[::-1]) if scene.layout == "beside" else scene


def load_frozen():
    """The trained autoencoder, text encoder and tokenizer, for use only."""
    tokenizer = load_tokenizer()
    vae, text = build_vae(), build_text_encoder(len(tokenizer))
    vae.load_state_dict(load("vae-final.pt"))
    text.load_state_dict(load("text-final.pt"))
    return vae.to(device()).eval().requires_grad_(False), text.to(device()).eval().requires_grad_(False), tokenizer


@torch.no_grad()
def text_states(text, tokenizer, texts):
    """States of all 77 positions, as the diffusers pipeline gives them to the denoiser."""
    ids = tokenizer(texts, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids
    with autocast():
        return text(ids.to(device())).last_hidden_state.half().cpu()


@torch.no_grad()
def latents_of(vae, pictures):
    """Mean latents of uint8 pictures."""
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).to(device()).float().div_(127.5).sub_(1)
    with autocast():
        return vae.encode(x).latent_dist.mean.half().cpu()


def cache(rank, world, options):
    vae, text, tokenizer = load_frozen()
    mix = Mix(counts=options.counts, pairs=options.pairs)
    for shard in range(options.first + rank, options.first + options.shards, world):
        name = f"latents-{options.set}-{shard:04d}.pt"
        if os.path.exists(work_path(name)):
            continue
        random = seed_all(31 + shard, 7)
        latents, states = [], []
        for _ in range(SHARD // BATCH):
            scenes = [sample_scene(random, mix) for _ in range(BATCH)]
            latents.append(latents_of(vae, [draw(scene, random) for scene in scenes]))
            texts = [caption(s, random) for scene in scenes for s in (scene, mirrored(scene))]
            states.append(text_states(text, tokenizer, texts).view(BATCH, 2, LENGTH, -1))
        save({"latents": torch.cat(latents), "states": torch.cat(states)}, name)
        print(name, f"std {torch.cat(latents).float().std():.3f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=20, help="of 1000 pictures each")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--set", default="a", help="name of the set, one for each mix")
    parser.add_argument("--counts", type=float, default=0.17)
    parser.add_argument("--pairs", type=float, default=0.06)
    parser.add_argument("--processes", type=int, default=2)
    launch(cache, parser.parse_args().processes, parser.parse_args())
