"""Take a shipped folder apart into the files that the training scripts go on from.

    python import_weights.py --from ../../models/latentd-tiny
"""

import argparse
import shutil

from safetensors.torch import load_file

from common import save, work_path

FILES = {"unet-ema.pt": "unet/diffusion_pytorch_model.safetensors",
         "vae-final.pt": "vae/diffusion_pytorch_model.safetensors", "text-final.pt": "text_encoder/model.safetensors"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="folder", required=True)
    folder = parser.parse_args().folder
    shutil.copytree(f"{folder}/tokenizer", work_path("tokenizer"), dirs_exist_ok=True)
    for name, path in FILES.items():
        weights = load_file(f"{folder}/{path}")
        if name != "unet-ema.pt":
            weights = {key: value.float() for key, value in weights.items()}
        save(weights, name)


if __name__ == "__main__":
    main()
