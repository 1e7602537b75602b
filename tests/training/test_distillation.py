"""Distillation: the student's maps meet the teacher's, and a run with a teacher resumes to the bit."""

import json
from dataclasses import replace

import pytest
import torch
from litemedsam.models import LiteMedSAM, SwinLiteMedSAM
from litemedsam.training.distillation import (
    SHARES,
    Teacher,
    recorded,
    student_modules,
    teacher_modules,
    teacher_of,
    unexplained,
)
from litemedsam.training.loop import train
from training_runs import TINY

from litemedsam import LiteMedSamError

CPU = torch.device("cpu")
TAUGHT = replace(TINY, distillation=1.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A teacher's checkpoint, untrained."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("teacher") / "litemedsam.pth"
    torch.save(LiteMedSAM(64).state_dict(), path)
    return path


def test_unexplained_is_the_error_over_the_variance():
    wanted = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mean = wanted.mean((0, 2, 3), keepdim=True)
    assert unexplained(wanted, wanted) == 0
    assert torch.isclose(unexplained(mean.expand_as(wanted), wanted), torch.tensor(1.0))
    halfway = (wanted + mean) / 2
    assert torch.isclose(unexplained(halfway, wanted), torch.tensor(0.25))


def test_a_wider_map_is_to_hold_each_channel_several_times():
    wanted = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    assert unexplained(torch.cat([wanted, wanted], dim=1), wanted) == 0
    assert unexplained(torch.cat([wanted, -wanted], dim=1), wanted) > 1


def test_the_maps_of_both_networks_have_the_same_sizes():
    student, teacher = SwinLiteMedSAM(64).eval(), LiteMedSAM(64).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad(), recorded(student_modules(student)) as own, recorded(teacher_modules(teacher)) as other:
        student.encode(image)
        teacher.encode(image)
    assert [tuple(one.shape[2:]) for one in own] == [(32, 32), (16, 16), (16, 16), (16, 16), (16, 16)]
    assert [one.shape[2:] for one in own] == [one.shape[2:] for one in other]
    assert [one.shape[1] for one in own] == [128, 160, 320, 320, 256]
    assert [one.shape[1] for one in other] == [128, 160, 160, 320, 256]


def test_nothing_is_recorded_afterwards():
    module = torch.nn.Identity()
    with recorded([module]) as maps:
        module(torch.zeros(1))
    module(torch.zeros(1))
    assert len(maps) == 1


def test_errors_teach_the_student_and_not_the_teacher(weights):
    torch.manual_seed(0)
    student, teacher = SwinLiteMedSAM(64), Teacher(weights, CPU)
    images = torch.rand(2, 3, 64, 64)
    features, errors = teacher.compared(student, images)
    assert features.image_embedding.shape == (2, 256, 16, 16)
    with torch.no_grad(), recorded(student_modules(student)) as own:
        student.encode(images)
    wanted = [unexplained(*pair) for pair in zip(own, teacher.maps(images), strict=True)]
    assert torch.allclose(errors, torch.stack(wanted) * torch.tensor(SHARES))
    errors.sum().backward()
    assert all(p.grad is not None for p in student.image_encoder.parameters())
    assert not any(one.requires_grad for one in teacher.maps(images))


def test_a_run_lowers_the_errors_of_the_maps(tmp_path, weights):
    config = replace(
        TAUGHT, steps=12, distillation=10.0, learning_rate=1e-3, window_share=0.0, checkpoint_every=12, images=2
    )
    train(config, tmp_path / "run", teacher=weights)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all(len(line["maps"]) == len(SHARES) for line in lines)
    assert sum(lines[-1]["maps"]) < 0.8 * sum(lines[0]["maps"])


def test_resuming_gives_the_numbers_of_no_interruption(tmp_path, weights):
    train(TAUGHT, tmp_path / "whole", teacher=weights)
    train(TAUGHT, tmp_path / "parts", teacher=weights, stop=lambda step: step == 2)
    train(TAUGHT, tmp_path / "parts", teacher=weights, resume=True)
    whole, parts = (torch.load(tmp_path / name / "last.pth", weights_only=True) for name in ("whole", "parts"))
    for kind in ("model", "averaged"):
        assert all(torch.equal(whole[kind][name], parts[kind][name]) for name in whole[kind])


def test_no_teacher_is_asked_for():
    assert teacher_of(TINY, SwinLiteMedSAM(64), None, CPU) is None


def test_a_teacher_and_its_weight_go_together(weights):
    student = SwinLiteMedSAM(64)
    for config, given in ((TAUGHT, None), (TINY, weights)):
        with pytest.raises(LiteMedSamError, match="expected both or none; give --teacher FILE with distillation above"):
            teacher_of(config, student, given, CPU)


def test_only_a_whole_swin_encoder_learns_from_a_teacher(weights):
    with pytest.raises(LiteMedSamError, match=r"'distillation' is 1\.0, expected 0 for weights of litemedsam"):
        teacher_of(TAUGHT, LiteMedSAM(64), weights, CPU)
    for frozen in ({"frozen_stages": 1}, {"freeze_encoder": True}):
        with pytest.raises(LiteMedSamError, match="stages are frozen; set freeze_encoder = false"):
            teacher_of(replace(TAUGHT, **frozen), SwinLiteMedSAM(64), weights, CPU)


def test_only_litemedsam_teaches(tmp_path):
    torch.save(SwinLiteMedSAM(64).state_dict(), tmp_path / "swin.pth")
    with pytest.raises(LiteMedSamError, match="weights of swin_litemedsam, expected weights of litemedsam as teacher"):
        Teacher(tmp_path / "swin.pth", CPU)
