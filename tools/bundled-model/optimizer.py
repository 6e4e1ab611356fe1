"""Muon for matrices and convolutions, AdamW for the rest.

Muon: the momentum of a matrix is replaced by the nearest orthogonal one, found by a few
Newton-Schulz iterations, so that every direction of the weight learns at the same pace.
"""

import torch
import torch.distributed as dist


def _orthogonal(matrices, steps=5):
    """Orthogonalise a batch of matrices (batch, rows ≤ columns) approximately."""
    x = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    x = x.bfloat16()
    for _ in range(steps):
        a = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.float()


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; weights of the same shape together, shared out over the processes."""

    def __init__(self, parameters, lr, momentum=0.95, decay=0.01):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault((p.shape[0], p.numel() // p.shape[0]), []).append(p)
            members = [p for shape in by_shape.values() for p in shape]
            updates = {}
            for shape, same in by_shape.items():
                updates.update(self._own_share(group, shape, same))
            self._apply(group, members, self._shared(members, updates))

    def _own_share(self, group, shape, members):
        """Move the momenta, and orthogonalise those that are this process's part of the work."""
        world, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
        own, updates = [], []
        for i, p in enumerate(members):
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            state["momentum"].lerp_(p.grad, 1 - group["momentum"])
            if (i + shape[0]) % world == rank or world == 1:
                update = p.grad.lerp(state["momentum"], group["momentum"]).reshape(shape)
                own.append(p)
                updates.append(update.T if shape[0] > shape[1] else update)
        if not own:
            return {}
        scale = max(1.0, shape[0] / shape[1]) ** 0.5
        results = _orthogonal(torch.stack(updates)) * scale
        return {p: (u.T if shape[0] > shape[1] else u).reshape(p.shape) for p, u in zip(own, results)}

    def _shared(self, members, updates):
        """All updates, in the order of members, put together from every process's part."""
        if not dist.is_initialized() or dist.get_world_size() == 1:
            return [updates[p] for p in members]
        flat = torch.cat([updates[p].reshape(-1) if p in updates else torch.zeros(p.numel()) for p in members])
        dist.all_reduce(flat)
        return [part.view_as(p) for part, p in zip(flat.split([p.numel() for p in members]), members)]

    def _apply(self, group, members, updates):
        for p, update in zip(members, updates):
            p.mul_(1 - group["lr"] * group["decay"])
            p.add_(update, alpha=-group["lr"])


class Pair:
    """The two optimizers behind one learning-rate factor."""

    def __init__(self, module, muon_lr, adam_lr, by_adam=("conv_in", "conv_out", "embed", "quant_conv", "to_rgb")):
        matrices, rest = [], []
        for name, p in module.named_parameters():
            (matrices if p.ndim > 1 and not any(part in name for part in by_adam) else rest).append(p)
        self.parts, self.rates = [], []
        if matrices:
            self._take(Muon(matrices, muon_lr), muon_lr)
        if rest:
            self._take(torch.optim.AdamW(rest, adam_lr, betas=(0.9, 0.98), weight_decay=0.0), adam_lr)

    def _take(self, optimizer, rate):
        self.parts.append(optimizer)
        self.rates.append(rate)

    def step(self, factor):
        """One step at factor times the base rates; clears the gradients."""
        for optimizer, rate in zip(self.parts, self.rates):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def state_dict(self):
        return [optimizer.state_dict() for optimizer in self.parts]

    def load_state_dict(self, states):
        for optimizer, state in zip(self.parts, states):
            optimizer.load_state_dict(state)


def warm_then_cool(share, step, warm_steps=100, cool_from=0.6, floor=0.03):
    """Factor of the learning rate: linear warm-up by steps, linear cool-down by the share of the time."""
    cool = 1.0 if share < cool_from else max(floor, (1 - share) / (1 - cool_from))
    return min(1.0, (step + 1) / warm_steps) * cool
