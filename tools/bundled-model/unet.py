"""The denoiser's shape, and its weights as training leaves them."""

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from common import device, load, save
from train_text_encoder import WIDTH

SCHEDULE = {"num_train_timesteps": 1000, "beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02,
            "prediction_type": "v_prediction"}
SHAPE = {"block_out_channels": (32, 64, 160), "layers_per_block": 1}
WEIGHTS = "unet-ema.pt"


def build_unet(shape):
    """The denoiser before training; attention at the two coarser levels."""
    unet = UNet2DConditionModel(
        sample_size=32, **shape, cross_attention_dim=WIDTH, attention_head_dim=2, norm_num_groups=16,
        use_linear_projection=True,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"))
    # On a CPU the plain products are several times faster at these sizes.
    unet.set_attn_processor(AttnProcessor2_0() if device().type == "cuda" else AttnProcessor())
    return unet


def save_weights(shape, weights, name=WEIGHTS):
    """Weights alone, in fp16, with the shape they have."""
    save({"shape": shape, "weights": {k: v.half() for k, v in weights.items()}}, name)


def load_unet(name=WEIGHTS):
    """The denoiser as save_weights left it, and its shape."""
    kept = load(name)
    unet = build_unet(kept["shape"])
    unet.load_state_dict({k: v.float() for k, v in kept["weights"].items()})
    return unet, kept["shape"]
