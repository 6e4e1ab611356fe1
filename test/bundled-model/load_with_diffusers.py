"""Load a model's folder as any user of diffusers does, make a small picture, and print what was found as JSON."""

import json
import sys

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

torch.set_num_threads(2)
pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1], safety_checker=None)
pipeline.set_progress_bar_config(disable=True)
pictures = [
    np.asarray(pipeline(prompt, num_inference_steps=5, guidance_scale=5.0, width=256, height=256,
                        generator=torch.Generator().manual_seed(1)).images[0], np.float32)
    for prompt in ("a red square", "a blue square")
]
red, blue = (picture[96:160, 96:160].mean((0, 1)).tolist() for picture in pictures)
print(json.dumps({
    "parts": {name: type(getattr(pipeline, name)).__name__ for name in ("unet", "vae", "text_encoder", "tokenizer", "scheduler")},
    "prediction": pipeline.scheduler.config.prediction_type, "size": list(pictures[0].shape), "red": red, "blue": blue,
}))
