"""Train the detector that reads a scene back from a picture, the judge of the evaluation.

It also learns to reject junk (drawings bent out of shape, two drawings mixed), so that a malformed
object does not count as right.

    python train_detector.py --minutes 6
"""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from common import Clock, Ema, autocast, average_gradients, broadcast_from_first, device, launch, load, save, seed_all
from optimizer import Pair, warm_then_cool
from train_text_encoder import HEADS, labels
from world.draw import draw
from world.scene import Mix, sample_scene

MIX = Mix(counts=0.35, pairs=0.3, styles=(0.4, 0.2, 0.2, 0.2))


def _block(before, after, stride):
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.GroupNorm(8, after), nn.SiLU())


class Detector(nn.Module):
    """A small convolutional network on 128×128 pictures with one head for each label, and one for junk."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(_block(3, 24, 2), _block(24, 48, 2), _block(48, 48, 1), _block(48, 96, 2),
                                  _block(96, 96, 1), _block(96, 128, 2), nn.Conv2d(128, 40, 1), nn.SiLU(),
                                  nn.Flatten(), nn.Linear(40 * 64, 320), nn.SiLU())
        self.to_labels = nn.ModuleDict({name: nn.Linear(320, n) for name, n in HEADS.items()})
        self.to_junk = nn.Linear(320, 1)

    def forward(self, x):
        h = self.body(x)
        return {name: head(h) for name, head in self.to_labels.items()}, self.to_junk(h)[:, 0]


def as_input(pictures):
    """uint8 256×256 pictures as the detector's input."""
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).to(device()).float().div_(127.5).sub_(1)
    return F.avg_pool2d(x, 2)


def bend(x):
    """Move the pixels by a smooth random field strong enough to spoil the shapes."""
    field = F.interpolate(torch.randn(len(x), 2, 6, 6, device=x.device), x.shape[2:], mode="bicubic") * 0.11
    grid = F.affine_grid(torch.eye(2, 3, device=x.device).expand(len(x), 2, 3), x.shape, align_corners=False)
    return F.grid_sample(x, grid + field.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def batch_of(random, size, held_out=False):
    """Real drawings with noise and slight blur, as a decoder may leave them, and their labels."""
    scenes = [sample_scene(random, MIX, held_out) for _ in range(size)]
    x = as_input([draw(scene, random) for scene in scenes])
    soft = F.avg_pool2d(x, 3, 1, 1)
    x = torch.lerp(x, soft, torch.rand(size, 1, 1, 1, device=x.device))
    x = x + 0.08 * torch.rand(size, 1, 1, 1, device=x.device) * torch.randn_like(x)
    return x, torch.tensor([labels(scene) for scene in scenes]).T.to(x.device)


@torch.no_grad()
def read(detector, pictures):
    """Per picture the predicted labels (in the order of HEADS) and the probability of junk."""
    logits, junk = detector(as_input(pictures))
    return torch.stack([v.argmax(1) for v in logits.values()]).T, junk.sigmoid()


def train(rank, world, options):
    random = seed_all(61, rank)
    model = Detector().to(device())
    broadcast_from_first(model, world)
    optimizer, ema = Pair(model, 0.01, 1e-3), Ema(model, 150)
    clock, step = Clock(options.minutes, world), 0
    while (share := clock.share()) < 1:
        x, target = batch_of(random, options.batch)
        spoiled = x[: options.batch // 4]
        mixed = torch.lerp(spoiled, spoiled.roll(1, 0), 0.5)
        spoiled = torch.where(torch.rand(len(spoiled), 1, 1, 1, device=x.device) < 0.8, bend(spoiled), mixed)
        with autocast():
            logits, junk = model(torch.cat([x, spoiled]))
        loss = sum(F.cross_entropy(v[:len(x)].float(), t) for v, t in zip(logits.values(), target))
        is_junk = torch.cat([torch.zeros(len(x)), torch.ones(len(spoiled))]).to(x.device)
        loss = loss + F.binary_cross_entropy_with_logits(junk.float(), is_junk)
        loss.backward()
        average_gradients(list(model.parameters()), world)
        optimizer.step(warm_then_cool(share, step, 50))
        ema.update(model)
        step += 1
        if rank == 0 and step % 50 == 0:
            print(step, f"{share:.2f} loss {loss.item():.3f}", flush=True)
    if rank == 0:
        model.load_state_dict(ema.state)
        save(model.state_dict(), "detector.pt")
        report(model, random)


def report(model, random):
    """Print how often the detector is right about drawings whose combination it never saw."""
    right, junk_false, junk_found = [], [], []
    for _ in range(16):
        x, target = batch_of(random, 64, held_out=True)
        with torch.no_grad():
            logits, junk = model(x)
            bent = model(bend(x))[1]
        right.append(torch.stack([v.argmax(1) for v in logits.values()]).eq(target).all(0))
        junk_false.append(junk > 0)
        junk_found.append(bent > 0)
    shares = [torch.cat(v).float().mean().item() for v in (right, junk_false, junk_found)]
    print("1024 held-out drawings: all right {:.3f}, taken for junk {:.3f}; bent ones found {:.3f}".format(*shares))


def load_detector():
    """The trained detector."""
    model = Detector()
    model.load_state_dict(load("detector.pt"))
    return model.to(device()).eval()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--batch", type=int, default=48, help="drawings a process")
    parser.add_argument("--processes", type=int, default=2)
    launch(train, parser.parse_args().processes, parser.parse_args())
