"""Train the autoencoder (f8, 4 channels) on drawings, the looks of later adapters among them.

What keeps all four latent channels in use and the colours true, from the first step:
latents pushed to zero mean and unit covariance, noise on the decoder's input, a linear map from
latents to the 8×8-averaged picture, and a loss on 4×4-averaged colours. Latents are also mirrored,
so that mirrored latents are a valid augmentation for the denoiser.

    python train_vae.py --minutes 27
"""

import argparse
import time
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from common import (Clock, Ema, as_floats, autocast, average_gradients, broadcast_from_first, device, endless, launch, load,
                    save, seed_all)
from optimizer import Pair, warm_then_cool
from world.draw import draw
from world.scene import EXTRA_LOOKS, Mix, sample_scene

MIX = Mix(counts=0.3, pairs=0.25, styles=(0.35, 0.25, 0.15, 0.25))
NOISE = 0.12
WHITEN_WITH = 256


def build_vae():
    """The autoencoder before training, its log-variances fixed to a small constant."""
    vae = AutoencoderKL(
        block_out_channels=(16, 32, 48, 96), layers_per_block=1, latent_channels=4, norm_num_groups=8,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        mid_block_add_attention=False, scaling_factor=1.0, sample_size=256)
    with torch.no_grad():
        vae.quant_conv.weight[4:] = 0
        vae.quant_conv.bias[4:] = -9.0
    return vae


def pictures(random, count, size=256):
    """Random crops of fresh drawings as uint8; one in five has an extra look."""
    out = np.empty((count, size, size, 3), np.uint8)
    for i in range(count):
        look = random.choice(EXTRA_LOOKS) if random.random() < 0.2 else None
        x, y = (random.randrange(0, 257 - size, 8) for _ in range(2))
        out[i] = draw(sample_scene(random, MIX), random, look)[y:y + size, x:x + size]
    return (torch.from_numpy(out),)


class Trained(torch.nn.Module):
    """The autoencoder with the linear map used only in training."""

    def __init__(self):
        super().__init__()
        self.vae = build_vae()
        self.to_rgb = torch.nn.Conv2d(4, 3, 1)
        self.register_buffer("mean", torch.zeros(4))
        self.register_buffer("second", torch.eye(4))

    def whiteness(self, z, weight=0.03):
        """Distance of the latents' running statistics from white noise's.

        A single batch holds too few colours to be white by itself, so the batch only enters a running
        mean; the division by its weight there gives its gradient the usual size.
        """
        flat = z.permute(1, 0, 2, 3).reshape(4, -1)
        mean = torch.lerp(self.mean, flat.mean(1), weight)
        second = torch.lerp(self.second, flat @ flat.T / flat.shape[1], weight)
        self.mean.copy_(mean.detach())
        self.second.copy_(second.detach())
        covariance = second - mean[:, None] * mean[None]
        eye = torch.eye(4, device=z.device)
        return ((covariance - eye).square().sum() + mean.square().sum()) / weight


def losses(model, x):
    """All terms of the loss for a batch of pictures."""
    with autocast():
        h = model.vae.encoder(x)
    z = model.vae.quant_conv(h.float())[:, :4]
    small = F.avg_pool2d(x, 8)
    noisy = z + NOISE * torch.randn_like(z)
    mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    noisy = torch.where(mirrored, noisy.flip(3), noisy)
    target = torch.where(mirrored, x.flip(3), x)
    with autocast():
        y = model.vae.decoder(model.vae.post_quant_conv(noisy))
    y = y.float()
    return {
        "pixel": F.smooth_l1_loss(y, target, beta=0.1),
        "edge": F.l1_loss(y.diff(dim=3), target.diff(dim=3)) + F.l1_loss(y.diff(dim=2), target.diff(dim=2)),
        "chroma": 2.0 * F.l1_loss(F.avg_pool2d(y, 4), F.avg_pool2d(target, 4)),
        "rgb": F.mse_loss(model.to_rgb(z), small),
        "white": 0.05 * model.whiteness(z),
    }


@torch.no_grad()
def fold_whitening(vae, random):
    """Make the latents exactly white by changing quant_conv, and post_quant_conv by the inverse."""
    vae.eval()
    z = torch.cat([vae.encode(as_floats(pictures(random, 16)[0])).latent_dist.mean
                   for _ in range(WHITEN_WITH // 16)])
    flat = z.double().permute(1, 0, 2, 3).reshape(4, -1)
    mean = flat.mean(1)
    values, vectors = torch.linalg.eigh((flat - mean[:, None]) @ (flat - mean[:, None]).T / flat.shape[1])
    whiten = (vectors * values.rsqrt()) @ vectors.T
    restore = (vectors * values.sqrt()) @ vectors.T
    q, p = vae.quant_conv, vae.post_quant_conv
    weight, bias = q.weight[:4, :, 0, 0].double(), q.bias[:4].double()
    q.weight[:4, :, 0, 0] = (whiten @ weight).float()
    q.bias[:4] = (whiten @ (bias - mean)).float()
    post = p.weight[:, :, 0, 0].double()
    p.bias += (post @ mean).float()
    p.weight[:, :, 0, 0] = (post @ restore).float()
    return values


def train(rank, world, options):
    random = seed_all(11 + options.seed, rank)
    model = Trained().to(device())
    state = load("vae.pt", missing_ok=True) if options.resume else None
    if state:
        model.load_state_dict(state["model"], strict=False)
    elif options.weights:
        model.vae.load_state_dict(load(options.weights))
    broadcast_from_first(model, world)
    optimizer, ema = Pair(model, 0.01, 1e-3), Ema(model, 300)
    crops = endless(partial(pictures, count=options.batch, size=128), 11 + options.seed + 100 * rank)
    wholes = endless(partial(pictures, count=max(1, options.batch // 4)), 12 + options.seed + 100 * rank)
    clock, step, shown, tick = Clock(options.minutes, world), 0, {}, time.time()
    log_variance_rows = slice(4, None)
    while (share := clock.share()) < 1:
        (x,) = next(crops if share < 0.8 else wholes)
        terms = losses(model, as_floats(x))
        sum(terms.values()).backward()
        model.vae.quant_conv.weight.grad[log_variance_rows] = 0
        model.vae.quant_conv.bias.grad[log_variance_rows] = 0
        average_gradients(list(model.parameters()), world)
        optimizer.step(warm_then_cool(share, step, 30, 0.5))
        ema.update()
        step += 1
        for name, term in terms.items():
            shown[name] = torch.lerp(shown.get(name, term.detach()), term.detach(), 0.05)
        if rank == 0 and step % 50 == 0:
            rate = 50 * len(x) * world / (time.time() - tick)
            tick = time.time()
            print(step, f"{share:.2f}", f"{rate:.0f}/s", {k: round(v.item(), 4) for k, v in shown.items()}, flush=True)
        if rank == 0 and step % 250 == 0:
            save({"model": model.state_dict(), "ema": ema.state}, "vae.pt")
    if rank == 0:
        model.load_state_dict(ema.state)
        save({"model": model.state_dict(), "ema": ema.state}, "vae.pt")
        print("variances before folding", fold_whitening(model.vae, random))
        save(model.vae.state_dict(), "vae-final.pt")


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=27)
    parser.add_argument("--batch", type=int, default=4, help="128×128 crops a process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", help="start from this autoencoder, e.g. vae-final.pt")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
