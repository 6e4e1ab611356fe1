"""Train the detector that reads a scene back from a picture, the judge of the evaluation.

Layout, background, style and detail are read from the whole picture; kind and colour from the region in which
an object should stand, by one head for all regions, so that each of four cats must be a cat. The same regions are
judged as well-formed or junk: drawings bent out of shape, two drawings mixed or cut together, parts wiped away.

    python train_detector.py --minutes 8
"""

import argparse
from functools import partial

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

from common import (Clock, Ema, as_floats, autocast, average_gradients, broadcast_from_first, device, endless, launch, load,
                    save, seed_all)
from optimizer import Pair, warm_then_cool
from world.draw import draw
from world.labels import HEADS, labels
from world.scene import SIZES, Mix, sample_scene

MIX = Mix(counts=0.3, pairs=0.35, styles=(0.35, 0.22, 0.18, 0.25))
INPUT, GRID = 128, 16
GLOBAL = ("layout", "background", "style", "detail")
# Shares of the picture (left, top, right, bottom), and the regions in which a layout has its objects.
REGIONS = ((0, 0, 1, 1), (0, 0, .5, 1), (.5, 0, 1, 1), (0, 0, 1, .5), (0, .5, 1, 1),
           (0, 0, .5, .5), (.5, 0, 1, .5), (0, .5, .5, 1), (.5, .5, 1, 1))
OBJECTS_AT = {"one": (0,), "two": (1, 2), "three": (3, 7, 8), "four": (5, 6, 7, 8), "beside": (1, 2), "stacked": (3, 4)}
REUSE, KEPT = 3, 4000
HELD_OUT = 1024


def _block(before, after, stride):
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.GroupNorm(8, after), nn.SiLU())


class Detector(nn.Module):
    """A small convolutional network with heads for the whole picture and for each region."""

    def __init__(self, width=96):
        super().__init__()
        self.body = nn.Sequential(_block(3, 24, 2), _block(24, 48, 2), _block(48, 64, 1), _block(64, width, 2),
                                  _block(width, width, 1), _block(width, width, 1))
        self.whole = nn.Sequential(_block(width, 64, 2), nn.Flatten(), nn.Linear(64 * 64, 160), nn.SiLU())
        self.to_global = nn.ModuleDict({name: nn.Linear(160, HEADS[name]) for name in GLOBAL})
        self.region = nn.Sequential(nn.Linear(2 * width + 16 * 24, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU())
        self.shape = nn.Conv2d(width, 24, 1)
        self.to_object = nn.ModuleDict({"kind": nn.Linear(256, HEADS["kind_a"] - 1),
                                        "colour": nn.Linear(256, HEADS["colour_a"] - 1), "junk": nn.Linear(256, 1)})

    def forward(self, x):
        """Logits for the whole picture, and for each region (in the order of REGIONS) of its object."""
        h = self.body(x)
        whole = self.whole(h)
        shape = self.shape(h)
        views = []
        for left, top, right, bottom in REGIONS:
            rows, columns = slice(int(top * GRID), int(bottom * GRID)), slice(int(left * GRID), int(right * GRID))
            part = h[:, :, rows, columns]
            coarse = F.adaptive_avg_pool2d(shape[:, :, rows, columns], 4).flatten(1)
            views.append(torch.cat([part.mean((2, 3)), part.amax((2, 3)), coarse], 1))
        features = self.region(torch.stack(views, 1))
        return ({name: head(whole) for name, head in self.to_global.items()},
                {name: head(features) for name, head in self.to_object.items()})


def as_input(pictures):
    """uint8 pictures of any sizes in the detector's size, as a uint8 tensor on the CPU."""
    return torch.from_numpy(np.stack([np.asarray(Image.fromarray(p).resize((INPUT, INPUT), Image.BOX)) for p in pictures]))


def targets_of(scenes):
    """Classes of the whole (in the order of GLOBAL), and per region kind, colour and whether an object is there."""
    whole, regions = [], np.zeros((len(scenes), len(REGIONS), 3), np.int64)
    for i, scene in enumerate(scenes):
        known = dict(zip(HEADS, labels(scene)))
        whole.append([known[name] for name in GLOBAL])
        for n, region in enumerate(OBJECTS_AT[scene.layout]):
            letter = "ab"[n % len(scene.objects)]
            regions[i, region] = known[f"kind_{letter}"], known[f"colour_{letter}"], 1
    return torch.tensor(whole), torch.from_numpy(regions)


def drawings(random, count, held_out=False):
    """Fresh drawings of several sizes, with their classes."""
    scenes = [sample_scene(random, MIX, held_out) for _ in range(count)]
    sizes = random.choices(list(SIZES), SIZES.values(), k=count)
    return as_input([draw(s, random, None, *size) for s, size in zip(scenes, sizes)]), *targets_of(scenes)


def soften(x):
    """Slight blur and noise, as a decoder may leave them."""
    size = (len(x), 1, 1, 1)
    x = torch.lerp(x, F.avg_pool2d(x, 3, 1, 1), torch.rand(size, device=x.device))
    return x + 0.08 * torch.rand(size, device=x.device) * torch.randn_like(x)


def bend(x):
    """Move the pixels by a smooth random field strong enough to spoil the shapes."""
    field = F.interpolate(torch.randn(len(x), 2, 6, 6, device=x.device), x.shape[2:], mode="bicubic") * 0.11
    grid = F.affine_grid(torch.eye(2, 3, device=x.device).expand(len(x), 2, 3), x.shape, align_corners=False)
    return F.grid_sample(x, grid + field.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def spoil(x, regions):
    """Drawings without a well-formed object: bent, mixed, cut together, or wiped in half."""
    other = x.roll(1, 0)
    same = (regions[:, :, 2] == regions.roll(1, 0)[:, :, 2]).all(1) & (regions != regions.roll(1, 0)).any(2).any(1)
    stripes = (torch.arange(INPUT, device=x.device) // 16 % 2 == 0).view(1, 1, -1, 1)
    smooth = F.interpolate(F.avg_pool2d(x, 16), scale_factor=16.0, mode="bilinear")
    ways = (bend(x), torch.lerp(x, other, 0.5), torch.where(stripes, x, other), torch.where(stripes, x, smooth), smooth)
    pick = torch.multinomial(torch.tensor([0.6, 0.1, 0.12, 0.1, 0.08]), len(x), replacement=True).to(x.device)
    pick = torch.where(same, pick, torch.zeros_like(pick))
    return torch.stack(ways, 1)[torch.arange(len(x), device=x.device), pick]


class Drawn:
    """Drawings used a few times each, since drawing costs more than learning: a ring of the latest ones."""

    def __init__(self, size, rank, make=drawings):
        self.fresh = endless(partial(make, count=max(4, size // (REUSE + 1))), 61 + 100 * rank)
        self.size, self.ring, self.count = size, None, 0

    def batch(self):
        """New drawings, filled up with earlier ones."""
        fresh = next(self.fresh)
        if self.ring is None:
            self.ring = [part.new_empty((KEPT, *part.shape[1:])) for part in fresh]
        at = (self.count + torch.arange(len(fresh[0]), device=device())) % KEPT
        self.count += len(at)
        for kept, new in zip(self.ring, fresh):
            kept[at] = new
        old = torch.randint(min(self.count, KEPT), (self.size - len(at),), device=device())
        return [torch.cat([new, kept[old]]) for new, kept in zip(fresh, self.ring)]


def loss_of(model, x, whole, regions):
    """Loss of good drawings, and of a quarter of them spoilt."""
    x, quarter = as_floats(x), len(x) // 4
    with autocast():
        views, objects = model(torch.cat([soften(x), soften(spoil(x[-quarter:], regions[-quarter:]))]))
    loss = sum(F.cross_entropy(views[name][:len(x)].float(), whole[:, i]) for i, name in enumerate(GLOBAL))
    there = regions[:, :, 2] == 1
    for i, name in enumerate(("kind", "colour")):
        loss = loss + F.cross_entropy(objects[name][:len(x)][there].float(), regions[:, :, i][there])
    junk = objects["junk"][:, :, 0].float()
    # A spoilt picture: at least one of its regions is junk, and which ones is not told.
    bad = torch.where(there[-quarter:], junk[len(x):], -9.0).amax(1)
    good = junk[:len(x)][there]
    return loss + F.softplus(good).mean() + F.softplus(-bad).mean()


@torch.no_grad()
def read(detector, pictures, targets):
    """Per picture, for each thing its targets say (see targets_of), whether the picture shows it; all of them booleans.

    Kind and colour hold when every object's do.
    """
    whole, regions = (t.to(device()) for t in targets)
    views, objects = detector(as_floats(as_input(pictures)))
    there = regions[:, :, 2] == 1
    # A class below 0 is not asked for.
    found = {name: (views[name].argmax(1) == whole[:, i]) | (whole[:, i] < 0) for i, name in enumerate(GLOBAL)}
    for i, name in enumerate(("kind", "colour")):
        found[name] = ((objects[name].argmax(2) == regions[:, :, i]) | ~there).all(1)
    found["well-formed"] = ((objects["junk"][:, :, 0] < 0) | ~there).all(1)
    return {name: value.cpu() for name, value in found.items()}


def train(rank, world, options):
    seed_all(61, rank)
    model = Detector().to(device())
    state = load("detector.pt", missing_ok=True) if options.resume else None
    if state:
        model.load_state_dict(state)
    fit(model, Drawn(options.batch, rank), "detector.pt", rank, world, options)
    if rank == 0:
        report(model.eval())


def fit(model, drawn, name, rank, world, options):
    """Train on drawn pictures and save under that name; the first process's model is left with the EMA weights."""
    broadcast_from_first(model, world)
    optimizer, ema = Pair(model, 0.01, 1e-3), Ema(model, 150)
    clock, step = Clock(options.minutes, world), 0
    while (share := clock.share()) < 1:
        loss = loss_of(model, *drawn.batch())
        loss.backward()
        average_gradients(list(model.parameters()), world)
        optimizer.step(options.rate * warm_then_cool(share, step, 50, cool_from=0.4))
        ema.update()
        step += 1
        if rank == 0 and step % 50 == 0:
            print(step, f"{share:.2f} loss {loss.item():.3f}", flush=True)
            save(ema.state, name)
    if rank == 0:
        model.load_state_dict(ema.state)
        save(model.state_dict(), name)


def report(model):
    """Print how often the detector is right about drawings whose combination it never saw, and finds spoilt ones."""
    random = seed_all(71)
    rights, junk = [], []
    for start in range(0, HELD_OUT, 64):
        count = min(64, HELD_OUT - start)
        scenes = [sample_scene(random, MIX, held_out=True) for _ in range(count)]
        pictures = [draw(scene, random) for scene in scenes]
        rights.append(read(model, pictures, targets_of(scenes)))
        regions = targets_of(scenes)[1].to(device())
        with torch.no_grad():
            spoilt = model(soften(spoil(as_floats(as_input(pictures)), regions)))[1]["junk"][:, :, 0]
        junk.append(((spoilt > 0) & (regions[:, :, 2] == 1)).any(1).cpu())
    right = {name: torch.cat([r[name] for r in rights]) for name in rights[0]}
    everything = torch.stack(list(right.values())).all(0)
    print(f"{HELD_OUT} held-out drawings:", " ".join(f"{k} {v.float().mean():.3f}" for k, v in right.items()),
          f"everything {everything.float().mean():.4f}; spoilt ones found {torch.cat(junk).float().mean():.3f}")


def load_detector():
    """The trained detector."""
    model = Detector()
    model.load_state_dict(load("detector.pt"))
    return model.to(device()).eval()


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--batch", type=int, default=64, help="pictures a process, a quarter of them new")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1.0, help="factor of the learning rates; 0.4 with --resume")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
