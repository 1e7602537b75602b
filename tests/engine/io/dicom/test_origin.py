"""Which frames of its images a scan consists of."""

import pytest
from litemedsam.engine.io.dicom.origin import DicomOrigin
from pydicom import Dataset


def images(count, frames=None):
    made = [Dataset() for _ in range(count)]
    if frames is not None:
        made[0].NumberOfFrames = frames
    return tuple(made)


@pytest.mark.parametrize(
    ("origin", "count", "part"),
    [
        (DicomOrigin(images(5)), 5, ()),
        (DicomOrigin(images(1)), 1, ()),
        (DicomOrigin(images(1, 4), (2, 0, 3, 1)), 4, ()),
        # One of several time points.
        (DicomOrigin(images(1, 4), (1, 3)), 4, (1, 3)),
        (DicomOrigin(images(1, ""), (0,)), 1, ()),
    ],
)
def test_a_part_is_named_where_the_file_has_more_frames(origin, count, part):
    assert origin.frame_count == count
    assert origin.part == part
