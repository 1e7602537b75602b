"""Frozen stages of an encoder: what they give is kept, what follows learns, and the numbers stay the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from litemedsam.models import LiteMedSAM, SwinLiteMedSAM, load_checkpoint
from litemedsam.training.config import TrainingConfig
from litemedsam.training.kept import FrozenStages, Keep, KeptMaps, all_stages, digest_of, encode_in_bundle, encode_with
from litemedsam.training.loop import train
from litemedsam.training.run import Run
from litemedsam.training.stream import Stream
from training_runs import write_cases

from litemedsam import LiteMedSamError

CPU = torch.device("cpu")
SIDE = 32
TINY = TrainingConfig(
    seed=3,
    steps=4,
    frame=SIDE,
    images=1,
    prompts=2,
    synthetic=0.0,
    held_out=0.3,
    freeze_encoder=True,
    dense=True,
    mixed=False,
    variants=1,
    focus=32,
    dropped=0.3,
    previous=0.5,
    warm_up=1,
    checkpoint_every=3,
    measure_scenes=0,
    measure_images=1,
    measure_objects=1,
    workers=0,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "litemedsam.pth"
    torch.save(LiteMedSAM(SIDE).state_dict(), path)
    return path


@pytest.fixture(autouse=True)
def small_frame(monkeypatch):
    """A checkpoint does not say its frame; the published one is 256."""
    monkeypatch.setattr("litemedsam.training.loop.load_checkpoint", lambda path: _framed(load_checkpoint(path)))


def _framed(model):
    model.frame = model.prompt_encoder.frame = SIDE
    return model


@pytest.mark.parametrize("kind", [LiteMedSAM, SwinLiteMedSAM])
@torch.inference_mode()
def test_the_first_stages_and_the_rest_make_the_whole_encoder(kind):
    torch.manual_seed(0)
    model = kind(SIDE).eval()
    image = torch.rand(1, 3, SIDE, SIDE)
    expected = model.encode(image)
    assert len(all_stages(model)) == model.stages
    for count in range(model.stages + 1):
        found = model.encode_rest(model.encode_first(image, count), count)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_maps_are_made_once_and_kept_in_half_precision(tmp_path):
    made = []

    def encode(pixels):
        made.append(pixels)
        return pixels[:1] * 3, pixels[1:] / 3

    image = np.random.default_rng(0).random((3, 8, 8), np.float32)
    other = image.copy()
    other[2, 7, 7] += 0.25
    first = KeptMaps(tmp_path, "weights", encode)(image)
    again = KeptMaps(tmp_path, "weights", encode)(image)
    assert len(made) == 1
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert [tuple(one.shape) for one in first] == [(1, 1, 8, 8), (1, 2, 8, 8)]
    np.testing.assert_array_equal(first[0][0], (image[:1] * 3).astype(np.float16).astype(np.float32))
    KeptMaps(tmp_path, "weights", encode)(other)
    KeptMaps(tmp_path, "other weights", encode)(image)
    assert len(made) == 3
    assert len(list((tmp_path / "weights").iterdir())) == 2


def test_kept_maps_that_are_damaged_are_named(tmp_path):
    maps = KeptMaps(tmp_path, "weights", lambda pixels: (pixels,))
    image = np.zeros((3, 8, 8), np.float32)
    maps(image)
    maps.path(image).write_bytes(b"PK no archive")
    with pytest.raises(LiteMedSamError, match="cannot be read"):
        maps(image)


def test_the_name_of_what_is_kept_follows_the_weights_and_the_stages():
    torch.manual_seed(0)
    model = LiteMedSAM(SIDE)
    whole, first = digest_of(model, 6), digest_of(model, 5)
    assert digest_of(model, 6) == whole != first
    with torch.no_grad():
        model.image_encoder.neck[0].weight[0, 0] += 1
    assert digest_of(model, 6) != whole
    assert digest_of(model, 5) == first


@pytest.mark.parametrize("count", [0, 2, 4, 6])
def test_frozen_stages_stay_and_all_others_learn(count, cases, weights):
    config = replace(TINY, freeze_encoder=False, frozen_stages=count, warm_up=0, synthetic=1.0)
    model = _framed(load_checkpoint(weights))
    run = Run(config, model, CPU)
    frozen = {id(p) for stage in all_stages(run.model)[:count] for p in stage.parameters()}
    before = {name: value.clone() for name, value in run.model.named_parameters()}
    run.advance(Stream(config, [])[0])
    for name, value in run.model.named_parameters():
        changed = not torch.equal(value, before[name])
        assert not (changed and id(value) in frozen), name
        if name.startswith("image_encoder"):
            assert changed == (id(value) not in frozen), name


def test_more_stages_than_there_are_cannot_be_frozen(weights):
    with pytest.raises(LiteMedSamError, match="expected at most 6"):
        Run(replace(TINY, freeze_encoder=False, frozen_stages=7), _framed(load_checkpoint(weights)), CPU)


def test_features_are_the_same_with_and_without_kept_maps(tmp_path, weights):
    model = load_checkpoint(weights)
    images = [np.random.default_rng(k).random((3, SIDE, SIDE), np.float32) for k in range(2)]
    kept = KeptMaps(tmp_path, "w", encode_with(model, 4, False))
    with torch.inference_mode():
        expected = model.encode(torch.from_numpy(np.stack(images))).image_embedding
        plain = FrozenStages(4).features(model, images, CPU).image_embedding
        stored = FrozenStages(4, kept).features(model, images, CPU).image_embedding
    torch.testing.assert_close(plain, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(stored, expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("config", [TINY, replace(TINY, freeze_encoder=False, frozen_stages=4, encoder_rate=0.5)])
def test_a_run_on_kept_maps_resumes_to_the_bit(tmp_path, cases, weights, config):
    config = replace(config, data=(str(cases),))
    kept = {name: Keep(tmp_path / f"kept-{name}") for name in ("whole", "parts")}
    train(config, tmp_path / "whole", weights, keep=kept["whole"])
    train(config, tmp_path / "parts", weights, keep=kept["parts"], stop=lambda step: step == 2)
    train(config, tmp_path / "parts", resume=True, keep=kept["parts"])
    names = [sorted(path.name for path in keep.folder.rglob("*.npz")) for keep in kept.values()]
    assert names[0] == names[1] != []
    whole, parts = (torch.load(tmp_path / name / "last.pth", weights_only=True) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 4
    for part in ("model", "averaged"):
        assert all(torch.equal(whole[part][name], parts[part][name]) for name in whole[part])
    lines = [(tmp_path / name / "measures.jsonl").read_text() for name in ("whole", "parts")]
    assert lines[0] == lines[1]
    assert [json.loads(line)["step"] for line in lines[0].splitlines()] == [0, 3, 4]


def test_weights_say_which_prompts_they_learnt(tmp_path, cases, weights):
    assert load_checkpoint(weights).prompts == ("boxes",)
    config = replace(TINY, steps=1, data=(str(cases),), measure_first=False, held_out=0.0)
    best = train(config, tmp_path / "run", weights)
    assert load_checkpoint(best).prompts == ("boxes", "scribbles")
    plain = train(replace(config, dense=False), tmp_path / "plain", weights)
    assert load_checkpoint(plain).prompts == ("boxes",)


def test_a_bundle_s_encoder_is_for_a_wholly_frozen_litemedsam():
    for model, count in ((LiteMedSAM(SIDE), 4), (SwinLiteMedSAM(SIDE), 6)):
        with pytest.raises(LiteMedSamError, match="the whole encoder of LiteMedSAM"):
            encode_in_bundle("bundle", model, count)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases"), 8, 48)
