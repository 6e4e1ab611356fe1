"""Train the text encoder to tell what a caption asks for; it is frozen afterwards.

The encoder reads from left to right, so only the positions after the caption's end know all of it. Each of
them gets one subject, by its number: the first object (the left or top one), the second object, the
background, the whole. Linear heads on the states ask for it. Both objects answer through the same heads, and so
does the last word of each object, so that an object's state is the same wherever the object stands.

    python train_text_encoder.py --minutes 5
"""

import argparse
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from common import (Clock, Ema, average_gradients, broadcast_from_first, device, endless, launch, load, save, seed_all,
                    work_path)
from optimizer import Pair, warm_then_cool
from world.captions import caption
from world.labels import HEADS, PLACES, labels, places
from world.scene import Mix, sample_scene

WIDTH, LENGTH = 192, 77
HELD_OUT = 1024
MIX = Mix(counts=0.25, pairs=0.45)
# What the position p after the end tells, by p modulo the number of subjects.
SUBJECTS = (("kind_a", "colour_a", "place_a"), ("kind_b", "colour_b", "place_b"), ("background", "detail"),
            ("layout", "style"))
# The heads in use; an object's three are shared by its words and by both subjects that tell of objects.
SHARED = {"kind_a": "kind", "kind_b": "kind", "colour_a": "colour", "colour_b": "colour", "place_a": "place",
          "place_b": "place"}
NAMES = (*HEADS, "place_a", "place_b")
NO_PLACE = len(PLACES)


def build_text_encoder(vocabulary):
    """The CLIP text model's shape for this vocabulary."""
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=WIDTH * 4, num_hidden_layers=4,
        num_attention_heads=4, max_position_embeddings=LENGTH, projection_dim=WIDTH, hidden_act="quick_gelu",
        bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1))


def load_tokenizer():
    """The tokenizer written by make_tokenizer.py."""
    return CLIPTokenizer.from_pretrained(work_path("tokenizer"))


def load_text_encoder(tokenizer):
    """The trained text encoder, for use only."""
    text = build_text_encoder(len(tokenizer))
    text.load_state_dict(load("text-final.pt"))
    return text.to(device()).eval().requires_grad_(False)


def token_ids(tokenizer, texts):
    """Ids of all 77 positions, as the diffusers pipeline makes them."""
    coded = tokenizer(texts, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="np")
    return torch.from_numpy(np.asarray(coded["input_ids"], np.int16))


def batch_of(random, tokenizer, size, length, held_out=False):
    """Token ids (padded to length), classes in the order of NAMES, the last word of each object (0 where it has none)."""
    scenes = [sample_scene(random, MIX, held_out) for _ in range(size)]
    captions = [caption(scene, random) for scene in scenes]
    coded = tokenizer([c.text for c in captions], padding="max_length", max_length=length, truncation=True,
                      return_tensors="np", return_offsets_mapping=True)
    targets, words = [], np.zeros((size, 2), np.int64)
    for i, (scene, said) in enumerate(zip(scenes, captions)):
        known = places(scene) if "layout" not in said.unsaid else []
        targets.append((*labels(scene, said.unsaid), *(known + [NO_PLACE, NO_PLACE])[:2]))
        for position, (start, end) in enumerate(coded["offset_mapping"][i]):
            if end > start and said.owners[start] is not None:
                words[i, said.owners[start]] = position
    return torch.from_numpy(np.asarray(coded["input_ids"], np.int64)), torch.tensor(targets), torch.from_numpy(words)


class Trained(torch.nn.Module):
    """The text encoder with the heads used only in training."""

    def __init__(self, vocabulary):
        super().__init__()
        self.encoder = build_text_encoder(vocabulary)
        sizes = {**{k: n for k, n in HEADS.items() if k not in SHARED}, "kind": HEADS["kind_a"],
                 "colour": HEADS["colour_a"], "place": NO_PLACE + 1}
        self.to_labels = torch.nn.ModuleDict({name: torch.nn.Linear(WIDTH, n) for name, n in sizes.items()})


def terms(model, ids, targets, words):
    """Loss, and the share of captions whose every class is right at one random position a subject."""
    targets = dict(zip(NAMES, targets.T))
    states = model.encoder(ids).last_hidden_state
    rows = torch.arange(len(ids), device=ids.device)
    end = (ids == model.encoder.config.eos_token_id).int().argmax(1)
    loss, right = 0.0, torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    for subject, names in enumerate(SUBJECTS):
        first = end + (subject - end) % len(SUBJECTS)
        choices = (ids.shape[1] - 1 - first) // len(SUBJECTS) + 1
        known = choices > 0
        chosen = first + len(SUBJECTS) * (torch.rand(len(ids), device=ids.device) * choices).long()
        state = states[rows, chosen.clamp(max=ids.shape[1] - 1)][known]
        for name in names:
            logits = model.to_labels[SHARED.get(name, name)](state)
            loss = loss + F.cross_entropy(logits, targets[name][known], label_smoothing=0.02)
            right[known] &= logits.argmax(1) == targets[name][known]
    for i, letter in enumerate("ab"):
        named = words[:, i] > 0
        state = states[rows, words[:, i]][named]
        for name in ("kind", "colour"):
            wanted = targets[f"{name}_{letter}"][named]
            loss = loss + 0.5 * F.cross_entropy(model.to_labels[name](state), wanted, label_smoothing=0.02)
    return loss, right.float().mean()


def train(rank, world, options):
    random = seed_all(23, rank)
    tokenizer = load_tokenizer()
    model = Trained(len(tokenizer)).to(device())
    state = load("text.pt", missing_ok=True) if options.resume else None
    if state:
        model.load_state_dict(state)
    broadcast_from_first(model, world)
    optimizer, ema = Pair(model, 0.01, 1e-3), Ema(model, 150)
    clock, step = Clock(options.minutes, world), 0
    # Mostly short paddings, which cost little; the full length often enough to hold there too.
    short, full = (endless(partial(batch_of, tokenizer=tokenizer, size=options.batch, length=length), 23 + rank)
                   for length in (44, LENGTH))
    while (share := clock.share()) < 1:
        loss, right = terms(model, *next(full if step % 4 == 0 else short))
        loss.backward()
        average_gradients(list(model.parameters()), world)
        optimizer.step(warm_then_cool(share, step, 50))
        ema.update()
        step += 1
        if rank == 0 and step % 50 == 0:
            print(step, f"{share:.2f}", f"loss {loss.item():.3f} all right {right.item():.3f}", flush=True)
    if rank == 0:
        model.load_state_dict(ema.state)
        model.eval()
        with torch.no_grad():
            held_out = [part.to(device()) for part in batch_of(random, tokenizer, HELD_OUT, LENGTH, True)]
            print(f"held-out captions, everything right: {terms(model, *held_out)[1].item():.4f} of {HELD_OUT}")
        save(model.state_dict(), "text.pt")
        save(model.encoder.state_dict(), "text-final.pt")


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=64, help="captions a process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
