"""Draw pictures and store their latents with captions; a shard holds pictures of one size.

For each picture there are a few captions, and as many for its mirror image. Shards are written one by one;
training may start with the first and picks up later ones.

    python cache_latents.py --shards 20
    python cache_latents.py --set neon --look neon --shards 2 --side 256      # for a LoRA
    python cache_latents.py --set arcade --look arcade --shards 2 --side 256  # for the embedding
    python cache_latents.py --set edges --edges --shards 8 --side 128        # for the ControlNet
"""

import argparse
import os
import random as randoms
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from common import as_floats, autocast, device, load, save, seed_all, work_path
from edges import edges
from train_text_encoder import LENGTH, load_tokenizer, token_ids
from train_vae import build_vae
from world.captions import caption
from world.draw import draw
from world.scene import COMBINED_LOOKS, EXTRA_LOOKS, SIZES, Mix, sample_scene

SHARD, CHUNK = 1000, 100
CAPTIONS = 3
BATCH_PIXELS = 50 * 256 * 256


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
    """Mean latents of uint8 pictures, a few at a time."""
    with autocast():
        parts = [vae.encode(as_floats(part)).latent_dist.mean.half().cpu()
                 for part in pictures.split(max(1, BATCH_PIXELS // (pictures.shape[1] * pictures.shape[2])))]
    return torch.cat(parts)


def size_of(shard, side):
    """The width and height of a shard's pictures: squares of this side, or drawn by the shares of SIZES, the first ones native."""
    if side:
        return side, side
    if shard < 4:
        return next(iter(SIZES))
    return randoms.Random(shard).choices(list(SIZES), SIZES.values())[0]


class Drawings(Dataset):
    """Chunks of the shards that are not there yet, drawn where they are asked for: pictures, token ids and, if wanted, edges."""

    def __init__(self, options):
        self.options, self.tokenizer = options, load_tokenizer()
        # A look takes the place of the style, so captions name none but flat, which goes without saying.
        styles = (1, 0, 0, 0) if options.look else Mix.styles
        self.mix = Mix(counts=options.counts, pairs=options.pairs, styles=styles)
        self.chunks = [(shard, start, min(CHUNK, SHARD - start))
                       for shard in range(options.first, options.first + options.shards)
                       if not os.path.exists(work_path(self.name(shard))) for start in range(0, SHARD, CHUNK)]

    def name(self, shard):
        """The file of a shard."""
        return "latents-{}-{}x{}-{:04d}.pt".format(self.options.set, *size_of(shard, self.options.side), shard)

    def __len__(self):
        return len(self.chunks)

    def __getitem__(self, i):
        shard, start, count = self.chunks[i]
        random = seed_all(31 + shard, start)
        scenes = [sample_scene(random, self.mix) for _ in range(count)]
        pictures = [draw(s, random, self.options.look, *size_of(shard, self.options.side)) for s in scenes]
        bare = self.options.look in COMBINED_LOOKS
        texts = [caption(s, random, bare=bare).text for scene in scenes for s in (scene, mirrored(scene)) for _ in range(CAPTIONS)]
        ids = token_ids(self.tokenizer, texts).view(count, 2, CAPTIONS, LENGTH)
        lines = [np.packbits(edges(p), axis=1) for p in pictures] if self.options.edges else []
        return torch.from_numpy(np.stack(pictures)), {"ids": ids, **({"edges": torch.from_numpy(np.stack(lines))} if lines else {})}


def cache(options):
    """Draw in processes, encode here."""
    vae, drawings = load_vae(), Drawings(options)
    parts = []
    for (shard, start, count), (pictures, known) in zip(drawings.chunks, DataLoader(
            drawings, batch_size=None, num_workers=options.processes, prefetch_factor=4)):
        parts.append({"latents": latents_of(vae, pictures), **known})
        if start + count == SHARD:
            whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
            save(whole, drawings.name(shard))
            print(drawings.name(shard), f"std {whole['latents'].float().std():.3f}", flush=True)
            parts = []


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=20, help="of 1000 pictures each")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--set", default="a", help="name of the set, one for each mix")
    parser.add_argument("--counts", type=float, default=Mix.counts)
    parser.add_argument("--pairs", type=float, default=Mix.pairs)
    parser.add_argument("--look", choices=(*EXTRA_LOOKS, *COMBINED_LOOKS), help="draw in this look, which captions do not name")
    parser.add_argument("--edges", action="store_true", help="store the pictures' edges too")
    parser.add_argument("--side", type=int, help="of squares, instead of all the sizes")
    parser.add_argument("--processes", type=int, default=1, help="that draw")
    cache(parser.parse_args(arguments))


if __name__ == "__main__":
    main()
