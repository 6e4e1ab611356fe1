"""Run the whole chain once, a few seconds a step, and make a picture: does everything still fit together?

    python smoke.py
"""

import os
import tempfile

SECONDS = {"train_vae": 2, "train_text_encoder": 2, "train_detector": 2, "train_unet": 3}


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
    export.main(["--to", folder])
    import_weights.main(["--from", folder])
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    picture = pipeline("a red heart", num_inference_steps=2, width=128, height=128).images[0]
    print("picture", *picture.size)


if __name__ == "__main__":
    main()
