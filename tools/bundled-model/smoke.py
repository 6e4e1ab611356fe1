"""Run the whole chain once, a few seconds a step, and make a picture: does everything still fit together?

    python smoke.py
"""

import os
import tempfile

from PIL import Image

SECONDS = {"train_vae": 2, "train_text_encoder": 2, "train_detector": 2, "train_unet": 3, "train_look_detector": 2,
           "train_lora": 2, "train_embedding": 2, "train_controlnet": 3}


def main():
    with tempfile.TemporaryDirectory() as work:
        os.environ["BUNDLED_MODEL_WORK"] = work  # read when common is imported
        run(f"{work}/model")


def run(folder):
    """Every script in its order, then the folder as a user of diffusers loads it."""
    import cache_latents
    import export
    import import_weights
    import make_tokenizer
    import train_detector
    import train_preference
    import train_text_encoder
    import train_unet
    import train_vae
    from diffusers import StableDiffusionPipeline

    train_text_encoder.HELD_OUT = train_detector.HELD_OUT = 16
    cache_latents.SHARD = cache_latents.CHUNK = 8
    train_vae.WHITEN_WITH = 16
    small = ["--processes", "1", "--batch", "4"]
    minutes = {name: ["--minutes", str(seconds / 60)] for name, seconds in SECONDS.items()}
    train_vae.main(small + minutes["train_vae"])
    make_tokenizer.main()
    train_text_encoder.main(small + minutes["train_text_encoder"])
    train_detector.main(["--processes", "1", "--batch", "16", *minutes["train_detector"]])
    cache_latents.main(["--shards", "2", "--processes", "1"])
    train_unet.main(["--widths", "16,16,16", *small, *minutes["train_unet"]])
    train_preference.main(["--rounds", "1", "--pairs", "4", "--steps", "2", *small])
    export.main(["--weights", "unet-preferred.pt", "--to", folder])
    import_weights.main(["--from", folder])
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    picture = pipeline("a red heart", num_inference_steps=2, width=128, height=128).images[0]
    print("picture", *picture.size)
    run_addons(folder, small, minutes)


def run_addons(folder, small, minutes):
    """Every add-on, trained for the model just made, and all at once in diffusers."""
    import cache_latents
    import export_addons
    import train_controlnet
    import train_embedding
    import train_look_detector
    import train_lora
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    train_look_detector.HELD_OUT = 16
    train_look_detector.main(["--processes", "1", "--batch", "16", *minutes["train_look_detector"]])
    for look in ("neon", "striped", "arcade"):
        cache_latents.main(["--set", look, "--look", look, "--shards", "1", "--processes", "1", "--side", "128"])
    cache_latents.main(["--set", "edges", "--edges", "--shards", "1", "--processes", "1", "--side", "128"])
    for look in ("neon", "striped"):
        train_lora.main(["--look", look, *small, *minutes["train_lora"]])
    train_embedding.main(["--look", "arcade", *small, *minutes["train_embedding"]])
    train_controlnet.main([*small, *minutes["train_controlnet"]])
    export_addons.main(["--to", f"{folder}-addons"])
    control = ControlNetModel.from_pretrained(f"{folder}-addons/edges")
    pipeline = StableDiffusionControlNetPipeline.from_pretrained(folder, controlnet=control, safety_checker=None)
    pipeline.load_lora_weights(f"{folder}-addons", weight_name="neon.safetensors")
    pipeline.load_textual_inversion(f"{folder}-addons/arcade.safetensors")
    guide = Image.new("RGB", (128, 128))
    picture = pipeline("a red heart, <arcade>", guide, num_inference_steps=2, width=128, height=128).images[0]
    print("picture with add-ons", *picture.size)


if __name__ == "__main__":
    main()
