"""Train the denoiser on cached latents and captions (v-prediction, 10 % empty captions).

Timesteps are drawn in proportion to a capped weight, so that the nearly clean ones, easy and of
little effect, come up less often. Stop and go on at will: --resume takes up weights, EMA, optimizer
and the share of the time already used.

    python train_unet.py --minutes 70
    python train_unet.py --minutes 70 --resume
"""

import argparse
import glob
import os
import random as randoms
import time

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler

from common import (Clock, Ema, autocast, average_gradients, broadcast_from_first, device, launch, load, save, seed_all,
                    work_path)
from latent_store import NATIVE, LatentStore
from optimizer import Pair, warm_then_cool
from train_text_encoder import LENGTH, WIDTH, load_text_encoder, load_tokenizer, token_ids
from unet import SCHEDULE, SHAPE, build_unet, load_unet, save_weights

REFRESH_SECONDS = {"cpu": 240, "cuda": 30}
SAVE_SECONDS = 120


def timestep_weights(alphas):
    """How often each timestep is drawn: evenly where noise prevails, less and less above SNR 4."""
    snr = alphas / (1 - alphas)
    return torch.clamp(5 / (snr + 1), max=1.0)


class Denoising:
    """The loss: mean squared error of v = √ᾱ·noise − √(1−ᾱ)·latents (Salimans and Ho, 2022)."""

    def __init__(self, unet, native, text, empty, learns_text=False):
        self.unet, self.native, self.text, self.empty, self.learns_text = unet, native, text, empty, learns_text
        self.alphas = DDIMScheduler(**SCHEDULE).alphas_cumprod.to(device())
        self.weights = timestep_weights(self.alphas)

    def loss(self, latents, ids, **inputs):
        """The loss of a batch; one caption in ten is taken away. What else the denoiser takes is passed on to it."""
        dropped = torch.rand(len(ids), device=ids.device) < 0.1
        ids = torch.where(dropped[:, None], self.empty, ids)
        t = torch.multinomial(self.weights, len(latents), replacement=True)
        a = self.alphas[t].view(-1, 1, 1, 1)
        noise = torch.randn_like(latents)
        noisy = a.sqrt() * latents + (1 - a).sqrt() * noise
        native = latents.shape[2] * 8 == NATIVE[1] and latents.shape[3] * 8 == NATIVE[0]
        with autocast():
            with torch.set_grad_enabled(self.learns_text):
                states = self.text(ids).last_hidden_state
            v = (self.native if native else self.unet)(noisy, t, states, return_dict=False, **inputs)[0]
        return F.mse_loss(v.float(), a.sqrt() * noise - (1 - a).sqrt() * latents)


def compiled(unet, batch):
    """The denoiser compiled for this many native pictures, by a first run through it."""
    began, faster = time.time(), torch.compile(unet, dynamic=False)
    latents = torch.randn(batch, 4, NATIVE[1] // 8, NATIVE[0] // 8, device=device())
    steps = torch.zeros(batch, dtype=torch.long, device=device())
    states = torch.randn(batch, LENGTH, WIDTH, device=device())
    with autocast():
        v = faster(latents, steps, states, return_dict=False)[0]
    v.float().square().mean().backward()
    unet.zero_grad(set_to_none=True)
    print(f"compiled in {time.time() - began:.0f} s", flush=True)
    return faster


def wait_for_data(sets):
    """Wait for the text encoder and the first latents, which may still be in the making."""
    native = "{}x{}".format(*NATIVE)
    while not (os.path.exists(work_path("text-final.pt"))
               and any(glob.glob(work_path(f"latents-{name}-{native}-*.pt")) for name in sets)):
        time.sleep(1)


def start(options):
    """The denoiser, its shape, and the state to go on from, if any."""
    state = load("unet.pt", missing_ok=True) if options.resume else None
    if state:
        unet = build_unet(state["shape"])
        unet.load_state_dict(state["model"])
        return unet, state["shape"], state
    if options.weights:
        return *load_unet(options.weights), None
    shape = {"block_out_channels": tuple(int(n) for n in options.widths.split(",")), "layers_per_block": options.layers}
    return build_unet(shape), shape, None


def train(rank, world, options):
    unet, shape, state = start(options)
    unet = unet.to(device())
    if device().type == "cuda":
        unet = unet.to(memory_format=torch.channels_last)
    native = compiled(unet, options.batch) if options.compile else unet
    wait_for_data(options.sets.split(","))
    tokenizer = load_tokenizer()
    broadcast_from_first(unet, world)
    optimizer, ema, step, used = Pair(unet, options.muon, options.adam), Ema(unet, options.horizon), 0, 0.0
    if state:
        optimizer.load_state_dict(state["optimizer"])
        ema.state = {k: v.to(device()) for k, v in state["ema"].items()}
        ema.steps = step = state["step"]
        used = state["used"]
    seed_all(47 + step, rank)
    sizes = randoms.Random(step)
    empty = token_ids(tokenizer, [""]).long().to(device())
    denoising = Denoising(unet, native, load_text_encoder(tokenizer), empty)
    store = LatentStore(options.sets.split(","))
    clock, began, shown, seen, tick = Clock(options.minutes, world), step, None, 0, time.time()
    clock.start -= used * 60
    refreshed = saved = time.time()
    while (share := clock.share()) < 1:
        latents, ids = store.batch(_agreed(store.pick_size(sizes), world), options.batch)
        loss = denoising.loss(latents, ids)
        loss.backward()
        average_gradients(list(unet.parameters()), world)
        optimizer.step(warm_then_cool(share, step - began, cool_from=options.cool_from))
        ema.update()
        step += 1
        seen += len(latents) * world
        shown = loss.detach() if shown is None else torch.lerp(shown, loss.detach(), 0.02)
        if rank == 0 and step % 50 == 0:
            rate, seen, tick = seen / (time.time() - tick), 0, time.time()
            print(step, f"{share:.3f} loss {shown.item():.4f} {rate:.1f}/s", flush=True)
        if rank == 0 and time.time() - saved > SAVE_SECONDS:
            save_all(unet, shape, optimizer, ema, step, share * options.minutes)
            saved = time.time()
        if time.time() - refreshed > REFRESH_SECONDS[device().type]:
            store.refresh()
            refreshed = time.time()
    if rank == 0:
        save_all(unet, shape, optimizer, ema, step, options.minutes)


def _agreed(size, world):
    """The first process's size, on every process: all take the same step."""
    if world == 1:
        return size
    box = torch.tensor(size)
    torch.distributed.broadcast(box, 0)
    return tuple(box.tolist())


def save_all(unet, shape, optimizer, ema, step, used):
    """The full state to go on from, and the EMA weights alone, to ship."""
    save({"shape": shape, "model": unet.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema.state,
          "step": step, "used": used}, "unet.pt")
    save_weights(shape, ema.state)


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=70, help="in all, with what came before a --resume")
    parser.add_argument("--batch", type=int, default=24, help="256×256 pictures a process, or what costs the same")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--widths", default=",".join(map(str, SHAPE["block_out_channels"])), help="of a new denoiser")
    parser.add_argument("--layers", type=int, default=SHAPE["layers_per_block"], help="a block, of a new denoiser")
    parser.add_argument("--muon", type=float, default=0.02)
    parser.add_argument("--adam", type=float, default=1e-3)
    parser.add_argument("--horizon", type=int, default=400, help="of the EMA, in steps")
    parser.add_argument("--cool-from", type=float, default=0.6, help="share of the time at which the rates fall")
    parser.add_argument("--sets", default="a", help="cached sets to train on, by name, with commas")
    parser.add_argument("--weights", help="start from these weights, e.g. unet-ema.pt, with a new optimizer")
    parser.add_argument("--compile", action="store_true", help="compile the denoiser for 256×256")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
