"""What diffusers' schedulers compute on a small latent with a fake model, for every name the engine knows.

Usage: python schedulers.py OUT_FOLDER

Writes cases.json (noise schedules and one row a case) and samples.bin (float32, little endian). A row is
[config, name, steps, evaluations, stored]; its numbers are, in order: the timesteps of all evaluations, the initial noise
sigma, and the last `stored` samples of SAMPLE_SIZE values each.
"""
import inspect
import json
import struct
import sys
import types
from pathlib import Path

import diffusers
import torch

# One scheduler imports torchsde for its Brownian tree, which is replaced below by the request's own noise.
sys.modules.setdefault("torchsde", types.ModuleType("torchsde"))
from diffusers.schedulers.scheduling_dpmsolver_sde import DPMSolverSDEScheduler  # noqa: E402

SHAPE = (1, 4, 2, 4)
SAMPLE_SIZE = 32
SEED = 1234

TRAINED = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SD1 = {
    **TRAINED, "_class_name": "PNDMScheduler", "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "trained_betas": None, "clip_sample": False,
}
SD2V = {
    **TRAINED, "_class_name": "DDIMScheduler", "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "trained_betas": None, "clip_sample": False, "prediction_type": "v_prediction",
}
ZERO_SNR = {**SD2V, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}
LEADING = {**SD1, "_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading", "interpolation_type": "linear"}
# Predicts the picture itself, on another beta schedule.
SAMPLE = {
    "_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear",
    "clip_sample": False, "prediction_type": "sample", "timestep_spacing": "linspace", "variance_type": "fixed_large",
}
COSINE = {"_class_name": "DDIMScheduler", "num_train_timesteps": 500, "beta_schedule": "squaredcos_cap_v2", "clip_sample": False}

SPREADS = {"": {}, " Karras": "use_karras_sigmas", " Exponential": "use_exponential_sigmas", " Beta": "use_beta_sigmas"}
SPREAD_OFF = {"use_karras_sigmas": False, "use_exponential_sigmas": False, "use_beta_sigmas": False}
ODE = {"algorithm_type": "dpmsolver++"}
SDE = {"algorithm_type": "sde-dpmsolver++"}

# Name, class, what the name fixes, whether Karras, exponential and beta sigmas exist.
NAMES = [
    ("Euler", "EulerDiscreteScheduler", {}, True),
    ("Euler a", "EulerAncestralDiscreteScheduler", {}, False),
    ("DDIM", "DDIMScheduler", {}, False),
    ("DDPM", "DDPMScheduler", {}, False),
    ("PNDM", "PNDMScheduler", {}, False),
    ("PLMS", "PNDMScheduler", {"skip_prk_steps": True}, False),
    ("LMS", "LMSDiscreteScheduler", {}, True),
    ("Heun", "HeunDiscreteScheduler", {}, True),
    ("DPM2", "KDPM2DiscreteScheduler", {}, True),
    ("DPM2 a", "KDPM2AncestralDiscreteScheduler", {}, True),
    ("DPM++ 2M", "DPMSolverMultistepScheduler", {**ODE, "solver_order": 2}, True),
    ("DPM++ 2M SDE", "DPMSolverMultistepScheduler", {**SDE, "solver_order": 2}, True),
    ("DPM++ 3M", "DPMSolverMultistepScheduler", {**ODE, "solver_order": 3}, True),
    ("DPM++ 3M SDE", "DPMSolverMultistepScheduler", {**SDE, "solver_order": 3}, True),
    ("DPM++ SDE", "DPMSolverSDEScheduler", {}, True),
    ("UniPC", "UniPCMultistepScheduler", {}, True),
    ("DEIS", "DEISMultistepScheduler", {}, True),
    ("LCM", "LCMScheduler", {}, False),
]

# Settings of single classes, each on its own model config.
MULTISTEP, UNIPC, DEIS = "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "DEISMultistepScheduler"
SETTINGS = {
    "dpmsolver": (MULTISTEP, {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min"}),
    "dpmsolver heun 3": (MULTISTEP, {"algorithm_type": "dpmsolver", "final_sigmas_type": "sigma_min", "solver_type": "heun", "solver_order": 3}),
    "sde-dpmsolver": (MULTISTEP, {"algorithm_type": "sde-dpmsolver", "final_sigmas_type": "sigma_min"}),
    "sde-dpmsolver heun": (MULTISTEP, {"algorithm_type": "sde-dpmsolver", "final_sigmas_type": "sigma_min", "solver_type": "heun"}),
    "heun": (MULTISTEP, {"solver_type": "heun"}),
    "sde heun": (MULTISTEP, {"algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}),
    "order 1": (MULTISTEP, {"solver_order": 1}),
    "euler at final": (MULTISTEP, {"euler_at_final": True, "lower_order_final": False, "final_sigmas_type": "sigma_min"}),
    "sibling's words": (MULTISTEP, {"algorithm_type": "deis", "solver_type": "bh2", "final_sigmas_type": "sigma_min"}),
    "lu": (MULTISTEP, {"use_lu_lambdas": True}),
    "clipped lambda": (MULTISTEP, {"lambda_min_clipped": -1.5}),
    "clipped lambda trailing": (MULTISTEP, {"lambda_min_clipped": -1.5, "timestep_spacing": "trailing"}),
    "multistep sigma_min": (MULTISTEP, {"final_sigmas_type": "sigma_min", "use_karras_sigmas": True}),
    "unipc bh1 3": (UNIPC, {"solver_type": "bh1", "solver_order": 3, "final_sigmas_type": "sigma_min"}),
    "unipc epsilon": (UNIPC, {"predict_x0": False, "final_sigmas_type": "sigma_min"}),
    "unipc uncorrected": (UNIPC, {"disable_corrector": [0, 2]}),
    "unipc sigma_min karras": (UNIPC, {"final_sigmas_type": "sigma_min", "use_karras_sigmas": True, "lower_order_final": False}),
    "unipc range": (UNIPC, {"use_exponential_sigmas": True, "sigma_min": 0.05, "sigma_max": 10.0}),
    "deis 3": (DEIS, {"solver_order": 3}),
    "deis 1": (DEIS, {"solver_order": 1, "lower_order_final": False}),
    "euler sigma_min": ("EulerDiscreteScheduler", {"final_sigmas_type": "sigma_min"}),
    "euler range": ("EulerDiscreteScheduler", {"use_karras_sigmas": True, "sigma_min": 0.1, "sigma_max": 12.0}),
    "heun karras": ("HeunDiscreteScheduler", {"use_karras_sigmas": True}),
    "runge-kutta": ("PNDMScheduler", {"skip_prk_steps": False}),
    "runge-kutta one": ("PNDMScheduler", {"skip_prk_steps": False, "set_alpha_to_one": True, "timestep_spacing": "trailing"}),
    "ddim one": ("DDIMScheduler", {"set_alpha_to_one": True, "timestep_spacing": "linspace"}),
    "ddpm log": ("DDPMScheduler", {"variance_type": "fixed_small_log"}),
    "lcm distilled": ("LCMScheduler", {"original_inference_steps": 40, "timestep_scaling": 8.0}),
    "trained betas": ("DDIMScheduler", {"num_train_timesteps": 20, "trained_betas": [0.01 * (i + 1) for i in range(20)], "steps_offset": 0}),
}


class RequestNoise:
    """Draws a step's two Brownian increments from the request's generator, first half first."""

    def __init__(self, generator):
        self.generator = generator
        self.first = None

    def __call__(self, sigma, sigma_next):
        fresh = torch.randn(SHAPE, generator=self.generator)
        if self.first is None:
            self.first = (fresh, sigma, sigma_next)
            return fresh
        first, start, middle = self.first
        self.first = None
        lengths = torch.stack([start - middle, middle - sigma_next])
        weights = (lengths / lengths.sum()).sqrt()
        return weights[0] * first + weights[1] * fresh


def fake_model(sample, timestep):
    """A smooth function that needs no weights and is written the same way in the test."""
    position = torch.arange(SAMPLE_SIZE, dtype=torch.float32).reshape(SHAPE)
    return sample * (timestep / (timestep + 50)) + 0.2 * torch.sin(3 * sample + position)


def run(scheduler, steps):
    scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        # Else a run whose first two timesteps round to the same number starts at the second one and fails at its end.
        scheduler.set_begin_index(0)
    generator = torch.Generator().manual_seed(SEED)
    if isinstance(scheduler, DPMSolverSDEScheduler):
        scheduler.noise_sampler = RequestNoise(generator)
    takes_generator = "generator" in inspect.signature(scheduler.step).parameters
    extra = {"generator": generator} if takes_generator else {}
    sigma = float(scheduler.init_noise_sigma)
    sample = torch.randn(SHAPE, generator=generator) * scheduler.init_noise_sigma
    samples = []
    for timestep in scheduler.timesteps:
        output = fake_model(scheduler.scale_model_input(sample, timestep), float(timestep))
        sample = scheduler.step(output, timestep, sample, **extra).prev_sample
        samples.append(sample)
    return [float(timestep) for timestep in scheduler.timesteps], sigma, samples


def class_of(name):
    return DPMSolverSDEScheduler if name == "DPMSolverSDEScheduler" else getattr(diffusers, name)


def schedulers_of(config):
    """The scheduler that each name means on a model of this config, as a user of diffusers would make it."""
    yield "Default", class_of(config["_class_name"]), {}
    for name, class_name, fixed, spreads in NAMES:
        for word, key in SPREADS.items():
            if word and not spreads:
                continue
            settings = {**fixed, **({**SPREAD_OFF, key: True} if word else {})}
            yield name + word, class_of(class_name), settings


def cases():
    configs = {"sd1": SD1, "sd2v": SD2V, "zero snr": ZERO_SNR, "leading": LEADING, "sample": SAMPLE, "cosine": COSINE}
    for config_name, config in configs.items():
        for name, scheduler_class, settings in schedulers_of(config):
            counts = [1, 2, 5, 20] if config_name in ("sd1", "zero snr") else [7]
            for steps in counts:
                yield config_name, config, name, scheduler_class, settings, steps
    for config_name, (class_name, settings) in SETTINGS.items():
        config = {**SD1, "_class_name": class_name, **settings}
        for steps in [5, 20]:
            yield config_name, config, class_name, class_of(class_name), {}, steps


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    configs, rows, numbers = {}, [], []
    for config_name, config, name, scheduler_class, settings, steps in cases():
        label = f"{config_name}, {name}, {steps} steps"
        try:
            timesteps, sigma, samples = run(scheduler_class.from_config(dict(config), **settings), steps)
        except Exception as error:  # noqa: BLE001 - what diffusers cannot do is no reference
            print(f"left out: {label}: {type(error).__name__}: {str(error)[:100]}")
            continue
        if len(samples) != len(timesteps) or not all(torch.isfinite(sample).all() for sample in samples):
            print(f"left out: {label}: not finite")
            continue
        stored = samples[-8:] if steps == 5 else samples[-1:]
        configs[config_name] = config
        rows.append([config_name, name, steps, len(timesteps), len(stored)])
        numbers += [*timesteps, sigma, *[value for sample in stored for value in sample.flatten().tolist()]]
    lines = ",\n".join(json.dumps(row) for row in rows)
    (folder / "cases.json").write_text(f'{{"configs": {json.dumps(configs)},\n"cases": [\n{lines}\n]}}\n')
    (folder / "samples.bin").write_bytes(struct.pack(f"<{len(numbers)}f", *numbers))
    print(f"{len(rows)} cases, {len(numbers) * 4} bytes, diffusers {diffusers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
