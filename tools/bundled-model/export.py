"""Write the trained parts as a diffusers folder in fp16, each file replaced in one move.

    python export.py --to ../../models/latentd-tiny
"""

import argparse
import json
import os
import shutil
import tempfile

from cache_latents import load_vae
from common import work_path
from train_text_encoder import load_text_encoder, load_tokenizer
from unet import SCHEDULE, WEIGHTS, load_unet

PARTS = {
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
    "safety_checker": [None, None], "feature_extractor": [None, None], "image_encoder": [None, None],
}
INDEX = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0", "requires_safety_checker": False,
         **PARTS}


# The noise scheduler that ships; keys left out have the class's defaults.
SCHEDULER = {"_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.30.0", **SCHEDULE,
             "algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint", "lower_order_final": True,
             "final_sigmas_type": "zero", "timestep_spacing": "trailing", "steps_offset": 1, "clip_sample": False}


def export(weights, folder):
    """Save every part beside the folder first, then move the files over the old ones."""
    vae, text, (unet, _) = load_vae(), load_text_encoder(load_tokenizer()), load_unet(weights)
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(folder))) as fresh:
        unet.half().save_pretrained(f"{fresh}/unet")
        vae.half().save_pretrained(f"{fresh}/vae")
        text.half().save_pretrained(f"{fresh}/text_encoder")
        shutil.copytree(work_path("tokenizer"), f"{fresh}/tokenizer")
        _write(f"{fresh}/model_index.json", INDEX)
        os.mkdir(f"{fresh}/scheduler")
        _write(f"{fresh}/scheduler/scheduler_config.json", SCHEDULER)
        _tidy_configs(fresh)
        for at, _, names in os.walk(fresh):
            target = os.path.join(folder, os.path.relpath(at, fresh))
            os.makedirs(target, exist_ok=True)
            for name in names:
                os.chmod(os.path.join(at, name), 0o644)
                os.replace(os.path.join(at, name), os.path.join(target, name))


def _write(path, config):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, allow_nan=False)
        file.write("\n")


def _tidy_configs(folder):
    """Take out what names the training machine; ask for float32, in which the parts agree when loaded."""
    for part in ("unet", "vae", "text_encoder"):
        path = f"{folder}/{part}/config.json"
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config.pop("_name_or_path", None)
        if part == "text_encoder":
            config.pop("dtype", None)
            config["torch_dtype"] = "float32"
        _write(path, config)


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default=WEIGHTS)
    parser.add_argument("--to", required=True, help="the model's folder")
    options = parser.parse_args(arguments)
    export(options.weights, options.to)


if __name__ == "__main__":
    main()
