"""Train the text encoder to tell what a caption asks for; it is frozen afterwards.

Every position after the caption's end must know everything: linear heads on the mean of the states
and on one random position read layout, background, style, and the kind and colour of the object at
the left or top and of the one at the right or bottom.

    python train_text_encoder.py --minutes 5
"""

import argparse

import torch
import torch.nn.functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from common import Clock, Ema, average_gradients, broadcast_from_first, device, launch, load, save, seed_all, work_path
from optimizer import Pair, warm_then_cool
from world.captions import caption
from world.palette import COLOUR_NAMES
from world.scene import BACKGROUNDS, LAYOUTS, STYLES, Mix, sample_scene
from world.shapes import KIND_NAMES

WIDTH, LENGTH = 192, 77
MIX = Mix(counts=0.3, pairs=0.4)
HEADS = {
    "layout": len(LAYOUTS), "background": len(BACKGROUNDS), "style": len(STYLES),
    "kind_a": len(KIND_NAMES), "colour_a": len(COLOUR_NAMES),
    "kind_b": len(KIND_NAMES) + 1, "colour_b": len(COLOUR_NAMES) + 1,
}


def build_text_encoder(vocabulary):
    """The CLIP text model's shape for this vocabulary."""
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=WIDTH * 4, num_hidden_layers=4,
        num_attention_heads=4, max_position_embeddings=LENGTH, projection_dim=WIDTH, hidden_act="quick_gelu",
        bos_token_id=vocabulary - 2, eos_token_id=vocabulary - 1, pad_token_id=vocabulary - 1))


def load_tokenizer():
    """The tokenizer written by make_tokenizer.py."""
    return CLIPTokenizer.from_pretrained(work_path("tokenizer"))


def labels(scene):
    """A scene's classes in the order of HEADS; a missing second object has the last class."""
    (kind_a, colour_a), (kind_b, colour_b) = (*scene.objects, (None, None))[:2]
    return (LAYOUTS.index(scene.layout), BACKGROUNDS.index(scene.background), STYLES.index(scene.style),
            KIND_NAMES.index(kind_a), COLOUR_NAMES.index(colour_a),
            KIND_NAMES.index(kind_b) if kind_b else len(KIND_NAMES),
            COLOUR_NAMES.index(colour_b) if colour_b else len(COLOUR_NAMES))


def batch_of(random, tokenizer, size, length, held_out=False):
    """Token ids (padded to length) and labels of fresh captions."""
    scenes = [sample_scene(random, MIX, held_out) for _ in range(size)]
    texts = [caption(scene, random) for scene in scenes]
    ids = tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids
    return ids.to(device()), torch.tensor([labels(scene) for scene in scenes]).T.to(device())


class Trained(torch.nn.Module):
    """The text encoder with the heads used only in training."""

    def __init__(self, vocabulary):
        super().__init__()
        self.encoder = build_text_encoder(vocabulary)
        self.to_labels = torch.nn.ModuleDict({name: torch.nn.Linear(WIDTH, n) for name, n in HEADS.items()})


def terms(model, ids, target):
    """Loss and share of captions with every label right, read from the mean of all states."""
    states = model.encoder(ids).last_hidden_state
    end = (ids == ids.max()).int().argmax(1)
    place = (end + (torch.rand(len(ids), device=ids.device) * (ids.shape[1] - end)).long()).clamp(max=ids.shape[1] - 1)
    one = states[torch.arange(len(ids)), place]
    loss, right = 0.0, torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    for features, scored in ((states.mean(1), True), (one, False)):
        for (name, head), wanted in zip(model.to_labels.items(), target):
            logits = head(features)
            loss = loss + F.cross_entropy(logits, wanted, label_smoothing=0.02)
            if scored:
                right &= logits.argmax(1) == wanted
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
    while (share := clock.share()) < 1:
        # Mostly short paddings, which cost little; the full length often enough to hold there too.
        length = LENGTH if step % 4 == 0 else 32
        loss, right = terms(model, *batch_of(random, tokenizer, options.batch, length))
        loss.backward()
        average_gradients(list(model.parameters()), world)
        optimizer.step(warm_then_cool(share, step, 50))
        ema.update(model)
        step += 1
        if rank == 0 and step % 50 == 0:
            print(step, f"{share:.2f}", f"loss {loss.item():.3f} all right {right.item():.3f}", flush=True)
    if rank == 0:
        model.load_state_dict(ema.state)
        model.eval()
        with torch.no_grad():
            rights = [terms(model, *batch_of(random, tokenizer, 256, LENGTH, True))[1].item() for _ in range(4)]
        print(f"held-out captions, everything right: {sum(rights) / 4:.4f} of 1024")
        save(model.state_dict(), "text.pt")
        save(model.encoder.state_dict(), "text-final.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--batch", type=int, default=64, help="captions a process")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    launch(train, parser.parse_args().processes, parser.parse_args())
