"""The agreement of a precision with f32, by modality."""

import pytest
from export_cases import save_cases
from litemedsam.engine.bundle.info import QUANTISED_ENCODER
from litemedsam.export.agreement import computes_in, measure, offered
from litemedsam.export.calibration import NamedCase

from litemedsam import LiteMedSamError


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return [NamedCase.of(path) for path in sorted(save_cases(tmp_path_factory.mktemp("cases")).iterdir())]


def test_f32_agrees_with_itself(tiny_bundle, cases):
    (found,) = measure(tiny_bundle, ["f32"], cases, 1).values()
    assert found.cases == {"CT": 2, "Microscopy": 2, "US": 2}
    assert set(found.mean_dsc.values()) == {1.0}
    assert found.worst_dsc == 1
    assert (found.floats, found.emulated) == ("f32", False)
    assert found.measured_with.startswith("openvino 20")
    # Among equals, the first case is named.
    assert found.worst_case == cases[0].path.stem


def test_what_a_bundle_lacks_is_not_offered(own_bundle):
    assert computes_in("f32")
    expected = ["bf16"] if computes_in("bf16") else []
    assert offered(own_bundle) == expected
    (own_bundle / QUANTISED_ENCODER).touch()
    assert set(offered(own_bundle)) == {"int8", *expected}


def test_a_case_that_cannot_be_read_is_named(tiny_bundle, tmp_path):
    (tmp_path / "2DBox_CT_made_0.npz").write_bytes(b"damaged")
    with pytest.raises(LiteMedSamError, match="2DBox_CT_made_0"):
        measure(tiny_bundle, ["f32"], [NamedCase.of(tmp_path / "2DBox_CT_made_0.npz")], 1)
