"""Steps take bfloat16 only where the device is fast in it."""

import pytest
import torch
from litemedsam.training import precision
from litemedsam.training.config import TrainingConfig
from litemedsam.training.precision import native_bfloat16, takes_bfloat16


@pytest.mark.parametrize("capability", ["avx512_bf16", "amx_bf16", "bf16"])
@pytest.mark.parametrize("there", [True, False])
def test_the_processor_s_capabilities_decide(monkeypatch, capability, there):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, capability: there})
    assert native_bfloat16() is there


@pytest.mark.parametrize(
    ("device", "mixed", "native", "expected"),
    [
        ("cpu", True, True, True),
        ("cpu", True, False, False),
        ("cpu", False, True, False),
        ("cuda", True, False, True),
        ("cuda", False, True, False),
    ],
)
def test_it_is_taken_where_it_is_asked_for_and_fast(monkeypatch, device, mixed, native, expected):
    monkeypatch.setattr(precision, "native_bfloat16", lambda: native)
    assert takes_bfloat16(TrainingConfig(mixed=mixed), torch.device(device)) is expected
