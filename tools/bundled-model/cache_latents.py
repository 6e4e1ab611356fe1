"""Draw pictures and store their latents with captions; a shard holds pictures of one size.

For each picture there are a few captions, and as many for its mirror image. Shards are written one by one;
training may start with the first and picks up later ones.

    python cache_latents.py --shards 20
"""

import argparse
import os
import random as randoms
from dataclasses import replace

import numpy as np
import torch

from common import as_floats, autocast, device, launch, load, save, seed_all, work_path
from train_text_encoder import LENGTH, load_tokenizer, token_ids
from train_vae import build_vae
from world.captions import caption
from world.draw import draw
from world.scene import SIZES, Mix, sample_scene

SHARD = 1000
CAPTIONS = 3


def mirrored(scene):
    """The scene seen in a mirror: only a pair side by side changes its order."""
    return replace(scene, objects=scene.objects[::-1]) if scene.layout == "beside" else scene


def load_vae():
    """The trained autoencoder, for use only."""
    vae = build_vae()
    vae.load_state_dict(load("vae-final.pt"))
    return vae.to(device()).eval().requires_grad_(False)


@torch.no_grad()
def latents_of(vae, pictures):
    """Mean latents of uint8 pictures."""
    with autocast():
        return vae.encode(as_floats(torch.from_numpy(np.stack(pictures)))).latent_dist.mean.half().cpu()


def size_of(shard, native_only):
    """The width and height of a shard's pictures, drawn by the shares of SIZES; the first ones are native."""
    if native_only or shard < 4:
        return next(iter(SIZES))
    return randoms.Random(shard).choices(list(SIZES), SIZES.values())[0]


def cache(rank, world, options):
    vae, tokenizer = load_vae(), load_tokenizer()
    mix = Mix(counts=options.counts, pairs=options.pairs)
    for shard in range(options.first + rank, options.first + options.shards, world):
        width, height = size_of(shard, options.native_only)
        name = f"latents-{options.set}-{width}x{height}-{shard:04d}.pt"
        if os.path.exists(work_path(name)):
            continue
        random = seed_all(31 + shard, 7)
        batch = max(4, 50 * 256 * 256 // (width * height))
        latents, ids = [], []
        for start in range(0, SHARD, batch):
            scenes = [sample_scene(random, mix) for _ in range(min(batch, SHARD - start))]
            latents.append(latents_of(vae, [draw(s, random, None, width, height) for s in scenes]))
            texts = [caption(s, random).text for scene in scenes for s in (scene, mirrored(scene))
                     for _ in range(CAPTIONS)]
            ids.append(token_ids(tokenizer, texts).view(len(scenes), 2, CAPTIONS, LENGTH))
        save({"latents": torch.cat(latents), "ids": torch.cat(ids)}, name)
        print(name, f"std {torch.cat(latents).float().std():.3f}", flush=True)


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=20, help="of 1000 pictures each")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--set", default="a", help="name of the set, one for each mix")
    parser.add_argument("--counts", type=float, default=Mix.counts)
    parser.add_argument("--pairs", type=float, default=Mix.pairs)
    parser.add_argument("--native-only", action="store_true", help="256×256 only")
    parser.add_argument("--processes", type=int, default=2, help="on a GPU too: drawing is the CPUs' work")
    options = parser.parse_args(arguments)
    launch(cache, options.processes, options, everywhere=True)


if __name__ == "__main__":
    main()
