"""Libraries of single formats, which need not be installed."""

import sys

import pytest
from litemedsam.engine.system.optional import needed

from litemedsam import LiteMedSamError


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(LiteMedSamError, match=r'highdicom is not installed; pip install "litemedsam\[dicom\]"'):
        needed("highdicom", "dicom")
