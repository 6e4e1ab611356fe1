"""Other engines on the same weights, for `npm run bench` (scenarios of the kind "peers").

Started with a diffusers folder and a device ("cpu" or "cuda:0"). Reads one JSON command a line from stdin and answers each with one line on
stdout: `open`, `pictures`, `step`, `close`. The first line it writes says which engines it has, and which of them make whole pictures only. Needs diffusers,
transformers and torch; takes openvino and cyllama (stable-diffusion.cpp) along where they are there.
"""
import gc
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
import warnings

# Answers alone go to stdout: stable-diffusion.cpp draws its progress there.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", DIFFUSERS_VERBOSITY="error", TRANSFORMERS_VERBOSITY="error")
warnings.filterwarnings("ignore")

# OpenVINO reports its use to its maker where this package is there.
sys.modules["openvino_telemetry"] = None

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

torch.set_grad_enabled(False)
transformers.utils.logging.disable_progress_bar()
diffusers.utils.logging.disable_progress_bar()

FOLDER, DEVICE = sys.argv[1], sys.argv[2]
DTYPES = {"pytorch-fp32": torch.float32, "pytorch-bf16": torch.bfloat16, "pytorch-fp16": torch.float16}
OPENVINO = {"openvino-f32": "f32", "openvino-bf16": "bf16"}
SDCPP = "sdcpp-f16"
PROMPT = "a red cup on a wooden table, number {}"


def engines():
    """The engines that can be used here, and why the others cannot."""
    missing = {}
    if DEVICE == "cpu":
        missing["pytorch-fp16"] = "PyTorch has no fast half precision on the processor"
    for name in OPENVINO:
        if importlib.util.find_spec("openvino") is None:
            missing[name] = "the package openvino is not installed"
        elif DEVICE != "cpu":
            missing[name] = "OpenVINO does not compute on this device"
    if importlib.util.find_spec("cyllama") is None:
        missing[SDCPP] = "the package cyllama is not installed"
    elif DEVICE != "cpu":
        missing[SDCPP] = "the package cyllama computes on the processor"
    return [name for name in [*DTYPES, *OPENVINO, SDCPP] if name not in missing], missing


class OpenVinoUnet(torch.nn.Module):
    """A UNet compiled by OpenVINO in the place of the pipeline's own."""

    def __init__(self, unet, precision):
        super().__init__()
        import openvino

        class Plain(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.unet = unet

            def forward(self, sample, timestep, encoder_hidden_states):
                return self.unet(sample, timestep, encoder_hidden_states, return_dict=False)[0]

        width = unet.config.cross_attention_dim
        example = (torch.zeros(2, unet.config.in_channels, 16, 16), torch.zeros(2), torch.zeros(2, 77, width))
        model = openvino.convert_model(Plain(), example_input=example)
        model.reshape({0: [-1, unet.config.in_channels, -1, -1], 1: [-1], 2: [-1, -1, width]})
        self.compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"})
        self.config = unet.config
        self.dtype = torch.float32
        self.device = torch.device("cpu")

    def forward(self, sample, timestep, encoder_hidden_states, **_):
        rows = sample.shape[0]
        timestep = torch.as_tensor(timestep, dtype=torch.float32).reshape(-1).expand(rows).contiguous()
        result = self.compiled([sample.float().numpy(), timestep.numpy(), encoder_hidden_states.float().numpy()])[0]
        return (torch.from_numpy(result.copy()),)


class Peer:
    def __init__(self, name):
        dtype = DTYPES.get(name, torch.float32)
        unet = UNet2DConditionModel.from_pretrained(FOLDER, subfolder="unet", torch_dtype=dtype).eval()
        vae = AutoencoderKL.from_pretrained(FOLDER, subfolder="vae", torch_dtype=dtype)
        if name in OPENVINO:
            unet = OpenVinoUnet(unet, OPENVINO[name])
        gc.collect()
        self.pipeline = StableDiffusionPipeline(
            vae=vae.eval(), unet=unet, safety_checker=None, feature_extractor=None, requires_safety_checker=False,
            text_encoder=CLIPTextModel.from_pretrained(FOLDER, subfolder="text_encoder", torch_dtype=dtype).eval(),
            tokenizer=CLIPTokenizer.from_pretrained(FOLDER, subfolder="tokenizer"),
            scheduler=EulerDiscreteScheduler.from_pretrained(FOLDER, subfolder="scheduler"),
        ).to(DEVICE)
        self.pipeline.set_progress_bar_config(disable=True)
        self.dtype = dtype

    def pictures(self, count, width, height, steps, guidance):
        prompts = [PROMPT.format(index) for index in range(count)]
        generators = [torch.Generator("cpu").manual_seed(index) for index in range(count)]
        return timed(lambda: self.pipeline(
            prompts, negative_prompt=["blurry"] * count, width=width, height=height, num_inference_steps=steps, guidance_scale=guidance, generator=generators, output_type="np"))

    def step(self, rows, width, height, repeats):
        unet = self.pipeline.unet
        sample = torch.randn(rows, unet.config.in_channels, height // 8, width // 8).to(DEVICE, self.dtype)
        timestep = torch.full((rows,), 500.0).to(DEVICE)
        context = torch.randn(rows, 77, unet.config.cross_attention_dim).to(DEVICE, self.dtype)

        def run():
            for _ in range(repeats):
                unet(sample, timestep, context, return_dict=False)

        return timed(run) / repeats


class SdCppPeer:
    """stable-diffusion.cpp with half-precision weights: whole pictures, one at a time."""

    def __init__(self):
        import cyllama.utils.validation as validation

        # It reads diffusers folders, but its Python wrapper asks for a file.
        validation.validate_model_file = lambda path, *_, **__: path
        from cyllama import sd

        sd.set_log_callback(lambda *_: None)
        sd.set_progress_callback(lambda *_: None)
        self.sd = sd

    def pictures(self, count, width, height, steps, guidance):
        return sum(self.picture(index, width, height, steps, guidance) for index in range(count))

    def picture(self, index, width, height, steps, guidance):
        # A second picture of one context ends the process (cyllama 0.2.18). Opening is not counted.
        context = self.sd.SDContext(self.sd.SDContextParams(model_path=FOLDER, n_threads=torch.get_num_threads(), wtype=self.sd.SDType.F16))
        return timed(lambda: context.generate(
            PROMPT.format(index), negative_prompt="blurry", width=width, height=height, seed=index, sample_steps=steps, cfg_scale=guidance,
            sample_method=self.sd.SampleMethod.EULER))


def timed(work):
    if DEVICE != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if DEVICE != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def answer(value):
    print(json.dumps(value), file=ANSWERS, flush=True)


def main():
    available, missing = engines()
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__, "threads": torch.get_num_threads()}
    if not set(OPENVINO) <= set(missing):
        import openvino

        versions["openvino"] = openvino.__version__
    if SDCPP in available:
        versions["cyllama"] = importlib.metadata.version("cyllama")
    answer({"engines": available, "picturesOnly": [SDCPP], "missing": missing, "versions": versions})
    peer = None
    for line in sys.stdin:
        command = json.loads(line)
        kind = command.pop("command")
        try:
            if kind == "open":
                peer = None
                gc.collect()
                peer = SdCppPeer() if command["engine"] == SDCPP else Peer(command["engine"])
                answer({})
            elif kind == "close":
                peer = None
                gc.collect()
                answer({})
            elif kind == "pictures":
                answer({"seconds": peer.pictures(**command)})
            elif kind == "step":
                answer({"seconds": peer.step(**command)})
            else:
                answer({"error": f"unknown command {kind}"})
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"[:500]})


main()
