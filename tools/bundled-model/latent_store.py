"""The cached latents: shards of one size each, mapped from disk on a CPU, merged in memory on a GPU."""

import glob
import os
import re

import torch

from common import device, work_path

NATIVE = (256, 256)
# What a shard holds for each picture; not every set has the last.
PARTS = ("latents", "ids", "edges")


def as_many(native, size):
    """How many pictures of a size cost what this many native ones do."""
    return max(1, round(native * NATIVE[0] * NATIVE[1] / (size[0] * size[1])))


class LatentStore:
    """All shards of the named sets that lie in the work folder so far; with mirrors, half of the pictures come mirrored."""

    def __init__(self, sets, mirrors=True):
        self.sets, self.mirrors, self.names, self.sizes = sets, mirrors, set(), {}
        self.refresh()

    def refresh(self):
        """Take up shards written since."""
        fresh = sorted({name for s in self.sets for name in glob.glob(work_path(f"latents-{s}-*.pt"))} - self.names)
        for name in fresh:
            width, height = map(int, re.search(r"-(\d+)x(\d+)-\d+\.pt$", os.path.basename(name)).groups())
            shard = torch.load(name, mmap=device().type == "cpu", weights_only=True)
            shards = self.sizes.setdefault((width, height), [])
            shards.append(tuple(shard[part].to(device()) for part in PARTS if part in shard))
        if device().type == "cuda" and fresh:
            self.sizes = {size: [tuple(torch.cat(parts) for parts in zip(*shards))]
                          for size, shards in self.sizes.items()}
        self.names |= set(fresh)

    def pick_size(self, random):
        """A size, in proportion to the pictures of it."""
        sizes = list(self.sizes)
        return random.choices(sizes, [sum(len(shard[0]) for shard in self.sizes[s]) for s in sizes])[0]

    def batch(self, size, native_batch):
        """Latents, token ids and, where the set has them, edges (booleans) of as many pictures of this size as cost what
        native_batch native ones do.

        What is mirrored takes a caption that says so.
        """
        count = as_many(native_batch, size)
        if size not in self.sizes:  # another process saw it first
            self.refresh()
        shards = self.sizes[size]
        parts = min(4, count, len(shards))
        latents, ids, edges = [], [], []
        for part, i in enumerate(torch.randint(len(shards), (parts,)).tolist()):
            kept, captions, *lines = shards[i]
            rows = torch.randint(len(kept), (count // parts + (part < count % parts),), device=kept.device)
            flip = torch.rand(len(rows), device=kept.device) < (0.5 if self.mirrors else 0)
            z = kept[rows].float()
            latents.append(torch.where(flip[:, None, None, None], z.flip(3), z))
            ids.append(captions[rows, flip.long(), torch.randint_like(rows, captions.shape[2])].long())
            if lines:
                unpacked = _unpacked(lines[0][rows])
                edges.append(torch.where(flip[:, None, None], unpacked.flip(2), unpacked))
        return tuple(torch.cat(parts) for parts in (latents, ids, edges) if parts)


def _unpacked(bits):
    """Booleans of what numpy.packbits packed along the last axis."""
    places = torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
    return (bits[..., None] >> places & 1).flatten(-2).bool()
