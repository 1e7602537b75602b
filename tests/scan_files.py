"""Helpers that write, read and refuse scans."""

import nibabel
import numpy as np
import pytest
from litemedsam.engine.io.formats import FORMATS, format_of
from litemedsam.engine.objects.objects import Objects
from litemedsam.engine.objects.prepare import prepare

from litemedsam import LiteMedSamError


def read(path, frame=None):
    return format_of(path).read(path, frame)


def refused(path, words, frame=None, kind=None):
    with pytest.raises(LiteMedSamError) as error:
        (format_of(path) if kind is None else FORMATS[kind]).read(path, frame)
    assert words in str(error.value), str(error.value)


def refusal(path, frame=None):
    with pytest.raises(LiteMedSamError) as error:
        prepare(read(path, frame), Objects.of_boxes("scan", np.array([[0.0, 0, 0, 1, 1, 0]])))
    assert "\n" not in str(error.value)
    return str(error.value)


def read_content(path, content=None, frame=None):
    """The scan of a file, which gets a content first unless it has one."""
    if content is not None:
        path.write_bytes(content)
    return read(path, frame)


def content_refusal(path, content, frame=None):
    """The one line that refuses a file of some content."""
    with pytest.raises(LiteMedSamError) as error:
        read_content(path, content, frame)
    assert "\n" not in str(error.value)
    return str(error.value)


def block(scan):
    """A label map with one block in the far corner of the last axes."""
    labels = np.zeros(scan.grid, np.uint8)
    labels[tuple(slice(n // 2, None) for n in scan.grid)] = 1
    return labels


def save(path, array, affine=None, **header):
    image = nibabel.Nifti1Image(array, np.diag([2.0, 2, 2, 1]) if affine is None else affine)
    for key, value in header.items():
        image.header[key] = value
    image.to_filename(path)
    return path
