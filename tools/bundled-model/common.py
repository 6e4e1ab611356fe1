"""What all training scripts share: processes and device, gradient averaging, EMA, atomic saving."""

import os
import random
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

WORK = os.environ.get("BUNDLED_MODEL_WORK", os.path.expanduser("~/train"))


def work_path(name):
    """A path for checkpoints and caches, outside the repository (set BUNDLED_MODEL_WORK to move it)."""
    os.makedirs(WORK, exist_ok=True)
    return os.path.join(WORK, name)


def device():
    """The accelerator where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast():
    """bf16 arithmetic for the matrix products, float32 weights."""
    return torch.autocast(device().type, dtype=torch.bfloat16)


def as_floats(pictures):
    """uint8 pictures (count × height × width × 3) as the networks take them, on the device."""
    return pictures.to(device()).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def launch(train, processes, *args):
    """Run train(rank, world, *args) in one-thread processes on a CPU, in this process on a GPU.

    Several processes of one thread lose far less to other work on the machine than one with several threads.
    """
    torch.backends.cudnn.benchmark = True
    if processes == 1 or device().type == "cuda":
        train(0, 1, *args)
        return
    mp.spawn(_worker, (processes, str(29000 + os.getpid() % 9000), train, args), nprocs=processes)


def _worker(rank, world, port, train, args):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    dist.init_process_group("gloo", rank=rank, world_size=world)
    train(rank, world, *args)
    dist.destroy_process_group()


def seed_all(seed, rank=0):
    """Seed every generator in use and return Python's own for the drawings."""
    torch.manual_seed(seed * 1000 + rank)
    np.random.seed((seed * 1000 + rank) % 2**32)
    return random.Random(seed * 1000 + rank)


class _Endless(IterableDataset):
    def __init__(self, make, seed):
        self.make, self.seed = make, seed

    def __iter__(self):
        worker = get_worker_info()
        random = seed_all(self.seed, worker.id + 1 if worker else 0)
        while True:
            yield self.make(random)


def endless(make, seed):
    """Batches from make(random), a tuple of CPU tensors each, moved to the device.

    Beside a GPU all CPU cores but two make them ahead; on a CPU they are made here, when they are asked for.
    """
    on_gpu = device().type == "cuda"
    ahead = {"num_workers": max(1, os.cpu_count() - 2), "prefetch_factor": 4, "pin_memory": True} if on_gpu else {}
    for batch in DataLoader(_Endless(make, seed), batch_size=None, **ahead):
        yield tuple(part.to(device(), non_blocking=True) for part in batch)


def broadcast_from_first(module, world):
    """Give all processes the first one's weights."""
    if world > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)


def average_gradients(parameters, world):
    """Average the gradients over the processes, in one message."""
    if world == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= world
    offset = 0
    for g in gradients:
        g.copy_(flat[offset:offset + g.numel()].view_as(g))
        offset += g.numel()


class Clock:
    """Wall time shared by all processes, so that they stop at the same step."""

    def __init__(self, minutes, world):
        self.start, self.limit, self.world = time.time(), minutes * 60, world

    def share(self):
        """The share of the time that is over, 0 to 1, the same on every process."""
        share = torch.tensor([(time.time() - self.start) / self.limit])
        if self.world > 1:
            dist.broadcast(share, 0)
        return min(1.0, share.item())


class Ema:
    """Running mean of a module's weights; its horizon grows with the steps taken."""

    def __init__(self, module, horizon):
        self.horizon, self.steps = horizon, 0
        self.live = dict(module.state_dict())
        self.state = {k: v.detach().clone().float() for k, v in self.live.items()}

    @torch.no_grad()
    def update(self):
        """Take one step towards the module's present weights."""
        self.steps += 1
        weight = max(1 / self.horizon, 1 / (self.steps / 8 + 1))
        torch._foreach_lerp_([self.state[k] for k in self.live], [v.float() for v in self.live.values()], weight)


def save(state, name):
    """Write a checkpoint under a temporary name, then rename it."""
    path = work_path(name)
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def load(name, missing_ok=False):
    """Read a checkpoint written by save, or None."""
    path = work_path(name)
    if missing_ok and not os.path.exists(path):
        return None
    return torch.load(path, map_location="cpu", weights_only=True)
