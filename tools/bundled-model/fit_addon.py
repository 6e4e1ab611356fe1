"""The loop that trains an add-on beside the frozen model: its own weights, their EMA, and what it takes to go on later."""

import random as randoms
import time

import torch

from common import Clock, Ema, average_gradients, broadcast_from_first, load, save, seed_all
from latent_store import LatentStore
from optimizer import Pair, warm_then_cool

SAVE_SECONDS = 120


def add_options(parser, minutes, muon, adam, batch):
    """The options that fit takes, with these defaults."""
    parser.add_argument("--minutes", type=float, default=minutes, help="in all, with what came before a --resume")
    parser.add_argument("--batch", type=int, default=batch, help="256×256 pictures a process, or what costs the same")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--muon", type=float, default=muon, help="rate for matrices and convolutions")
    parser.add_argument("--adam", type=float, default=adam, help="rate for all else")
    parser.add_argument("--horizon", type=int, default=200, help="of the EMA, in steps")
    parser.add_argument("--resume", action="store_true")


def fit(part, loss_of, name, sets, rank, world, options, mirrors=True):
    """Train the parameters of part by loss_of(a batch of the sets) and leave them at their EMA; name is that of the state kept."""
    broadcast_from_first(part, world)
    optimizer, ema, step, used = Pair(part, options.muon, options.adam), Ema(part, options.horizon), 0, 0.0
    state = load(name, missing_ok=True) if options.resume else None
    if state:
        part.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        ema.state.update((k, v.to(ema.state[k].device)) for k, v in state["ema"].items())
        ema.steps, step, used = state["step"], state["step"], state["used"]
    seed_all(83 + step, rank)
    store, clock = LatentStore(sets, mirrors), Clock(options.minutes, world)
    clock.start -= used * 60
    began, shown, seen, tick, saved = step, None, 0, time.time(), time.time()

    def keep(minutes):
        save({"model": part.state_dict(), "optimizer": optimizer.state_dict(), "ema": ema.state, "step": step,
              "used": minutes}, name)

    while (share := clock.share()) < 1:
        # Every process has the same sets, and so picks the same size.
        batch = store.batch(store.pick_size(randoms.Random(step)), options.batch)
        loss = loss_of(*batch)
        loss.backward()
        average_gradients(list(part.parameters()), world)
        optimizer.step(warm_then_cool(share, step - began, 20, cool_from=0.4))
        ema.update()
        step += 1
        seen += len(batch[0]) * world
        shown = loss.detach() if shown is None else torch.lerp(shown, loss.detach(), 0.02)
        if rank == 0 and step % 50 == 0:
            rate, seen, tick = seen / (time.time() - tick), 0, time.time()
            print(step, f"{share:.3f} loss {shown.item():.4f} {rate:.1f}/s", flush=True)
        if rank == 0 and time.time() - saved > SAVE_SECONDS:
            keep(share * options.minutes)
            saved = time.time()
    if rank == 0:
        keep(options.minutes)
    part.load_state_dict(ema.state)
