"""What PyTorch's CPU generator draws: successive torch.randn calls of several sizes from one generator a seed.

Usage: python random_numbers.py OUT_FOLDER

Writes draws.json ([seed, [sizes]] a row) and draws.bin (float32, little endian, in the same order).
"""
import json
import sys
from pathlib import Path

import torch

# Whole blocks of 16, sizes that are no multiple of 16, and fewer than 16, which PyTorch draws another way.
SIZES = [16, 64, 17, 5, 3, 31, 100, 1, 2, 15, 256]
SEEDS = [0, 1, 42, 2**31, 2**32 - 1, 2**32, 2**40 + 7, 2**53 - 1]
LATENT = [42, [16384]]


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [*[[seed, SIZES] for seed in SEEDS], LATENT]
    draws = []
    for seed, sizes in rows:
        generator = torch.Generator().manual_seed(seed)
        draws += [torch.randn(size, generator=generator) for size in sizes]
    (folder / "draws.json").write_text(json.dumps(rows) + "\n")
    (folder / "draws.bin").write_bytes(torch.cat(draws).numpy().astype("<f4").tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
