"""Any format reads a file, or only the format that can do what is asked."""

from multiprocessing.reduction import ForkingPickler

import pytest
from litemedsam.engine.io.format_choice import AnyFormat, OneFormat, format_choice
from litemedsam.engine.io.formats import FORMATS

from litemedsam import LiteMedSamError


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / "case.npz"
    path.write_bytes(b"PK\x03\x04")
    return path


def test_nothing_asked_of_dicom_leaves_every_format(npz):
    assert format_choice(None, False) == AnyFormat()
    assert AnyFormat().of(npz) is FORMATS["npz"]


@pytest.mark.parametrize(("series", "allow_uneven"), [("1", False), (None, True), ("1", True)])
def test_what_only_dicom_has_leaves_dicom(npz, series, allow_uneven):
    choice = format_choice(series, allow_uneven)
    with pytest.raises(LiteMedSamError, match=r"case\.npz: is not DICOM; leave --series and --allow-uneven out"):
        choice.of(npz)


def test_one_format_keeps_its_settings(tmp_path):
    path = tmp_path / "slice.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM")
    choice = format_choice("CT head", True)
    assert isinstance(choice, OneFormat)
    assert choice.of(path) is choice.format
    assert (choice.format.series, choice.format.allow_uneven) == ("CT head", True)


def test_a_choice_can_be_sent():
    sent = ForkingPickler.loads(ForkingPickler.dumps(format_choice("2", False)))
    assert (sent.format.series, sent.remedy) == ("2", "leave --series and --allow-uneven out")
