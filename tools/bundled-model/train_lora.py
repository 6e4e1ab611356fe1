"""Train a LoRA on the denoiser: pictures of one look under captions that do not name it, so that the LoRA alone brings it.

Only some layers get one. Every layer that a LoRA of the models folder adds to costs a server a little in all
its runs, also in those without a LoRA.

    python cache_latents.py --set neon --look neon --shards 2 --side 256
    python train_lora.py --look neon --minutes 5
"""

import argparse

import torch
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file

from common import device, launch, seed_all, work_path
from fit_addon import add_options, fit
from train_text_encoder import load_text_encoder, load_tokenizer, token_ids
from train_unet import Denoising
from unet import load_unet
from world.scene import EXTRA_LOOKS

LAYERS = r"up_blocks\.\d\.resnets\.\d\.conv[12]"
RANK = 8


def with_lora(unet, layers, rank):
    """Give the layers whose names match a LoRA, which changes nothing yet; all else is frozen. Gives the parameters to train."""
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=layers))
    # A module's parameters may have no dots in their names.
    return torch.nn.ParameterDict({name.replace(".", "/"): p for name, p in unet.named_parameters() if p.requires_grad})


def export(unet, name):
    """The LoRA in fp16 under peft's names, as diffusers and the server load it."""
    weights = {f"unet.{key}": value.half().contiguous() for key, value in get_peft_model_state_dict(unet).items()}
    save_file(weights, work_path(name), {"format": "pt"})
    print(name, len(weights) // 2, "layers,", sum(value.numel() for value in weights.values()), "parameters")


def train(rank, world, options):
    seed_all(83)
    unet, _ = load_unet(options.weights)
    part = with_lora(unet, options.layers, options.rank).to(device())
    tokenizer = load_tokenizer()
    empty = token_ids(tokenizer, [""]).long().to(device())
    denoising = Denoising(unet.to(device()), unet, load_text_encoder(tokenizer), empty)
    # Stripes have a direction, which mirrored pictures would take away.
    fit(part, denoising.loss, f"lora-{options.look}.pt", [options.look], rank, world, options, mirrors=False)
    if rank == 0:
        export(unet, f"{options.look}.safetensors")


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--look", choices=EXTRA_LOOKS, required=True, help="a set that cache_latents.py stored under its name")
    parser.add_argument("--rank", type=int, default=RANK)
    parser.add_argument("--layers", default=LAYERS, help="a pattern of the layers' names")
    parser.add_argument("--weights", default="unet-ema.pt", help="the denoiser that it is for")
    add_options(parser, minutes=5, muon=0.03, adam=1e-3, batch=12)
    options = parser.parse_args(arguments)
    launch(train, options.processes, options)


if __name__ == "__main__":
    main()
