"""Take a shipped folder apart into the files that the training scripts go on from.

    python import_weights.py --from ../../models/latentd-tiny
"""

import argparse
import json
import shutil

from safetensors.torch import load_file

from common import save, work_path
from unet import SHAPE, save_weights

FROZEN = {"vae-final.pt": "vae/diffusion_pytorch_model.safetensors", "text-final.pt": "text_encoder/model.safetensors"}


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="folder", required=True)
    folder = parser.parse_args(arguments).folder
    shutil.copytree(f"{folder}/tokenizer", work_path("tokenizer"), dirs_exist_ok=True)
    for name, path in FROZEN.items():
        save({key: value.float() for key, value in load_file(f"{folder}/{path}").items()}, name)
    with open(f"{folder}/unet/config.json", encoding="utf-8") as file:
        config = json.load(file)
    save_weights({key: config[key] for key in SHAPE}, load_file(f"{folder}/unet/diffusion_pytorch_model.safetensors"))


if __name__ == "__main__":
    main()
