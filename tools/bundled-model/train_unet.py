"""Train the denoiser on cached latents and text states (v-prediction, 10 % empty captions).

Timesteps are drawn in proportion to a capped weight, so that the nearly clean ones, easy and of
little effect, come up less often. Stop and go on at will: --resume takes up weights, EMA, optimizer
and the share of the time already used.

    python train_unet.py --minutes 70
    python train_unet.py --minutes 70 --resume
"""

import argparse
import glob
import time

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor

from cache_latents import load_frozen, text_states
from common import Clock, Ema, autocast, average_gradients, broadcast_from_first, device, launch, load, save, seed_all, work_path
from optimizer import Pair, warm_then_cool
from train_text_encoder import WIDTH

SCHEDULE = {"num_train_timesteps": 1000, "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02,
            "prediction_type": "v_prediction"}
RELOAD_MINUTES = 6


def build_unet():
    """The denoiser before training."""
    unet = UNet2DConditionModel(
        sample_size=32, block_out_channels=(32, 64, 160), layers_per_block=1, cross_attention_dim=WIDTH,
        attention_head_dim=2, norm_num_groups=16, use_linear_projection=True,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"))
    unet.set_attn_processor(AttnProcessor())
    return unet


def load_shards(sets):
    """All cached shards of the named sets, kept on the accelerator or mapped from disk."""
    names = sorted(name for s in sets for name in glob.glob(work_path(f"latents-{s}-*.pt")))
    shards = [torch.load(name, mmap=device().type == "cpu", weights_only=True) for name in names]
    return [{key: value.to(device()) for key, value in shard.items()} for shard in shards]


def batch_of(shards, size, empty):
    """Latents and text states; half of them mirrored, one in ten with the empty caption."""
    latents, states = [], []
    for shard in (shards[i] for i in torch.randint(len(shards), (min(4, size),)).tolist()):
        index = torch.randint(len(shard["latents"]), (size // min(4, size),), device=shard["latents"].device)
        flip = torch.rand(len(index), device=index.device) < 0.5
        z = shard["latents"][index].float()
        latents.append(torch.where(flip[:, None, None, None], z.flip(3), z))
        states.append(shard["states"][index, flip.long()].float())
    latents, states = torch.cat(latents), torch.cat(states)
    dropped = torch.rand(len(states), device=states.device) < 0.1
    return latents, torch.where(dropped[:, None, None], empty, states)


def timestep_weights(alphas):
    """How often each timestep is drawn: evenly where noise prevails, less and less above SNR 4."""
    snr = alphas / (1 - alphas)
    return torch.clamp(5 / (snr + 1), max=1.0)


def loss_of(unet, latents, states, alphas, weights):
    """Mean squared error of v = √ᾱ·noise − √(1−ᾱ)·latents (Salimans and Ho, 2022)."""
    t = torch.multinomial(weights, len(latents), replacement=True)
    a = alphas[t].view(-1, 1, 1, 1)
    noise = torch.randn_like(latents)
    noisy = a.sqrt() * latents + (1 - a).sqrt() * noise
    with autocast():
        v = unet(noisy, t, states, return_dict=False)[0]
    return F.mse_loss(v.float(), a.sqrt() * noise - (1 - a).sqrt() * latents)


def train(rank, world, options):
    _, text, tokenizer = load_frozen()
    empty = text_states(text, tokenizer, [""]).float().to(device())
    unet = build_unet().to(device())
    optimizer, ema, step, used = Pair(unet, options.muon, options.adam), Ema(unet, 400), 0, 0.0
    state = load("unet.pt", missing_ok=True) if options.resume else None
    if state:
        unet.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        ema.state = {k: v.to(device()) for k, v in state["ema"].items()}
        ema.steps = step = state["step"]
        used = state["used"]
    elif options.weights:
        unet.load_state_dict({k: v.float() for k, v in load(options.weights).items()})
    broadcast_from_first(unet, world)
    seed_all(47 + step, rank)
    alphas = DDIMScheduler(**SCHEDULE).alphas_cumprod.to(device())
    weights = timestep_weights(alphas)
    shards = load_shards(options.sets.split(","))
    clock, tick, loaded, shown = Clock(options.minutes, world), time.time(), time.time(), None
    clock.start -= used * 60
    while (share := clock.share()) < 1:
        loss = loss_of(unet, *batch_of(shards, options.batch, empty), alphas, weights)
        loss.backward()
        average_gradients(list(unet.parameters()), world)
        optimizer.step(warm_then_cool(share, step, cool_from=options.cool_from))
        ema.update(unet)
        step += 1
        shown = loss.item() if shown is None else 0.98 * shown + 0.02 * loss.item()
        if rank == 0 and step % 50 == 0:
            rate = 50 * options.batch * world / (time.time() - tick)
            tick = time.time()
            print(step, f"{share:.3f} loss {shown:.4f} {rate:.1f}/s seen {step * options.batch * world}", flush=True)
        if rank == 0 and step % 250 == 0:
            save_all(unet, optimizer, ema, step, share * options.minutes)
        if time.time() - loaded > RELOAD_MINUTES * 60:
            shards, loaded = load_shards(options.sets.split(",")), time.time()
    if rank == 0:
        save_all(unet, optimizer, ema, step, options.minutes)


def save_all(unet, optimizer, ema, step, used):
    """The full state to go on from, and the EMA weights alone, in fp16, to ship."""
    save({"model": unet.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema.state, "step": step,
          "used": used}, "unet.pt")
    save({k: v.half() for k, v in ema.state.items()}, "unet-ema.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=70, help="in all, with what came before a --resume")
    parser.add_argument("--batch", type=int, default=24, help="pictures a process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--muon", type=float, default=0.02)
    parser.add_argument("--adam", type=float, default=1e-3)
    parser.add_argument("--cool-from", type=float, default=0.6, help="share of the time at which the rates fall")
    parser.add_argument("--sets", default="a", help="cached sets to train on, by name, with commas")
    parser.add_argument("--weights", help="start from these weights, e.g. unet-ema.pt, with a new optimizer")
    parser.add_argument("--resume", action="store_true")
    launch(train, parser.parse_args().processes, parser.parse_args())
