"""Makes a small safety checker with random weights, and writes what diffusers says with it.

`test/reference/safety-checker/tiny` is a folder as published: config.json, preprocessor_config.json, model.safetensors.
`flags.safetensors` beside it holds inputs of the network and its answers, `pictures.json` what the whole
StableDiffusionPipeline says of requests of test/reference/pictures.

Concepts and thresholds are chosen after the vectors that those pictures have: some are like a concept, some only once a
special concept is seen, one is so by less than rounding leaves, and most are not.

  OMP_NUM_THREADS=1 python tools/reference/safety_checker.py
"""
import json
import math

import torch
from diffusers import StableDiffusionPipeline
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker, cosine_distance
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor

from models import write_json
from pictures import PICTURES, ROOT, picture

OUT = ROOT / 'safety-checker'
SIZE = 32
VISION = {
    'hidden_size': 24, 'intermediate_size': 48, 'num_hidden_layers': 2, 'num_attention_heads': 3, 'image_size': SIZE, 'patch_size': 8,
    'projection_dim': 20,
}
PROJECTION = 20
# Far from every cosine.
NEVER = 2.0
# Of the pictures that diffusers computed, those that the checker is tried on.
NUMBERS = range(0, 20)
MARGIN = 0.003


def processor():
    return CLIPImageProcessor(size={'shortest_edge': SIZE}, crop_size={'height': SIZE, 'width': SIZE})


def randomize(model, generator):
    for name, parameter in model.named_parameters():
        values = torch.randn(parameter.shape, generator=generator)
        if 'norm' in name and name.endswith('weight'):
            values = 1 + 0.2 * values
        elif parameter.ndim == 1:
            values = 0.1 * values
        elif 'position' in name:
            values = 0.3 * values
        else:
            values = values * 1.5 / math.sqrt(parameter[0].numel())
        parameter.data.copy_(values)


def embeds_of(checker, pixels):
    return checker.visual_projection(checker.vision_model(pixels)[1])


def draw_until(embeds, generator, accept):
    """Draws concepts until one's cosines are accepted; gives the concept and what was accepted."""
    mean = embeds.mean(0)
    spread = (embeds - mean).std()
    for _ in range(20_000):
        concept = mean + spread * torch.randn(mean.shape, generator=generator)
        accepted = accept(cosine_distance(embeds, concept[None])[:, 0])
        if accepted is not None:
            return concept, accepted
    raise SystemExit('no concept found')


def exceeded_by(count):
    """A threshold that the `count` largest exceed, well apart from all."""
    def accept(cosines):
        above, below = cosines.topk(count + 1).values[-2:]
        return ((above + below) / 2).item() if above - below > 2 * MARGIN else None
    return accept


def choose_concepts(checker, pixels, generator):
    """Sets vectors and thresholds as the heading says; gives the pictures of each kind."""
    embeds = torch.nn.functional.normalize(embeds_of(checker, pixels))
    special, seen = draw_until(embeds, generator, exceeded_by(8))
    direct, flagged = draw_until(embeds, generator, exceeded_by(3))
    is_seen = cosine_distance(embeds, special[None])[:, 0] > seen
    is_direct = cosine_distance(embeds, direct[None])[:, 0] > flagged

    def almost(cosines):
        """The largest exceed the threshold with the adjustment only."""
        threshold = cosines.max() + 0.003
        scores = cosines - threshold
        is_near = scores > -0.01
        if (scores + 0.01).abs().min() < 0.002 or not (is_near & is_seen & ~is_direct).any() or not (is_near & ~is_seen & ~is_direct).any():
            return None
        return threshold.item(), is_near

    near, (threshold, is_near) = draw_until(embeds, generator, almost)

    def by_a_hair(cosines):
        """The largest exceeds it by what rounding takes away."""
        first, second = cosines.topk(2).values
        number = int(cosines.argmax())
        is_free = not (is_direct[number] or is_seen[number])
        return (first.item() - 0.0003, number) if is_free and first - second > 0.02 else None

    hair, (hair_threshold, number) = draw_until(embeds, generator, by_a_hair)
    never = draw_until(embeds, generator, lambda cosines: True)[0]
    thresholds = {3: (direct, flagged), 9: (near, threshold), 12: (hair, hair_threshold)}
    for index in range(17):
        concept, weight = thresholds.get(index, (never, NEVER))
        checker.concept_embeds.data[index], checker.concept_embeds_weights.data[index] = concept, weight
    for index in range(3):
        concept, weight = (special, seen) if index == 1 else (never, NEVER)
        checker.special_care_embeds.data[index], checker.special_care_embeds_weights.data[index] = concept, weight
    listed = lambda mask: mask.nonzero().flatten().tolist()
    kinds = {'direct': listed(is_direct), 'adjusted': listed(is_near & is_seen & ~is_direct), 'almost': listed(is_near & ~is_seen & ~is_direct), 'hair': [number]}
    print(kinds)
    return kinds


def published_names(tensors):
    """Key names of the published checker, with the position ids it stores."""
    named = {name.replace('vision_model.', 'vision_model.vision_model.', 1) if name.startswith('vision_model.') else name: tensor.contiguous()
             for name, tensor in tensors.items() if not name.endswith('position_ids')}
    named['vision_model.vision_model.embeddings.position_ids'] = torch.arange((SIZE // 8) ** 2 + 1).unsqueeze(0)
    return named


@torch.no_grad()
def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(5005)
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=VISION, projection_dim=PROJECTION)).eval()
    randomize(checker, generator)
    requests = json.loads((PICTURES / 'requests.json').read_text())
    pictures = [Image.open(PICTURES / f'{number:03}.png') for number in NUMBERS]
    pixels = processor()(pictures, return_tensors='pt').pixel_values
    kinds = choose_concepts(checker, pixels, generator)

    folder = OUT / 'tiny'
    folder.mkdir(parents=True, exist_ok=True)
    save_file(published_names(checker.state_dict()), folder / 'model.safetensors', metadata={'format': 'pt'})
    write_json(folder / 'config.json', {
        '_class_name': 'StableDiffusionSafetyChecker', 'architectures': ['StableDiffusionSafetyChecker'], 'model_type': 'clip',
        'projection_dim': PROJECTION, 'vision_config': VISION,
    })
    write_json(folder / 'preprocessor_config.json', {
        'crop_size': SIZE, 'do_center_crop': True, 'do_convert_rgb': True, 'do_normalize': True, 'do_resize': True,
        'feature_extractor_type': 'CLIPFeatureExtractor', 'image_mean': processor().image_mean, 'image_std': processor().image_std,
        'resample': 3, 'size': SIZE,
    })

    _, flags = checker(pixels, [torch.zeros(1) for _ in NUMBERS])
    told = [number for numbers in kinds.values() for number in numbers[:2]]
    assert [flags[number] for number in told] == [kind in ('direct', 'adjusted') for kind, numbers in kinds.items() for _ in numbers[:2]]
    save_file({'pixel_values': pixels[told].contiguous(), 'flag': torch.tensor(flags)[told].float()}, OUT / 'flags.safetensors')

    pipe = StableDiffusionPipeline.from_pretrained(ROOT / 'models' / 'sd1-tiny', torch_dtype=torch.float32, safety_checker=checker, feature_extractor=processor())
    pipe.set_progress_bar_config(disable=True)
    answers = []
    checker.register_forward_hook(lambda _checker, _inputs, output: answers.extend(output[1]))
    said = {}
    for number in NUMBERS:
        if number in kinds['hair']:
            continue
        picture(pipe, requests[number])
        said[number] = answers.pop()
    print(said)
    (OUT / 'pictures.json').write_text(json.dumps(said) + '\n')


if __name__ == '__main__':
    main()
