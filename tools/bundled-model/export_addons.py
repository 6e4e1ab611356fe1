"""Write the trained add-ons as the server and diffusers load them.

    python export_addons.py --to ../../models/latentd-tiny-addons
"""

import argparse
import json
import os
import shutil

from common import work_path

CONTROLNET, FILES = "edges", ("neon.safetensors", "striped.safetensors", "arcade.safetensors")


def main(arguments=None):
    """Run with these arguments, by default the command line's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True, help="the add-ons' folder")
    folder = parser.parse_args(arguments).to
    os.makedirs(f"{folder}/{CONTROLNET}", exist_ok=True)
    with open(work_path(f"{CONTROLNET}/config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config.pop("_name_or_path", None)
    with open(f"{folder}/{CONTROLNET}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    for name in (f"{CONTROLNET}/diffusion_pytorch_model.safetensors", *FILES):
        shutil.copyfile(work_path(name), f"{folder}/{name}")
        os.chmod(f"{folder}/{name}", 0o644)


if __name__ == "__main__":
    main()
