"""Functional groups: a frame's own item goes before the shared one."""

import pydicom
import pytest
from litemedsam.engine.io.dicom.groups import functional_groups, in_group, in_own_group, number_in
from pydicom import Dataset

NAME = "PixelMeasuresSequence"


def group(thickness=None):
    """A group with an item of a thickness, with an empty sequence (0), or without one (None)."""
    made = Dataset()
    if thickness is not None:
        setattr(made, NAME, [measures(thickness)] if thickness else [])
    return made


def measures(thickness):
    item = Dataset()
    item.SliceThickness = thickness
    return item


def image(**sequences):
    made = Dataset()
    for name, items in sequences.items():
        setattr(made, name, items)
    return made


def test_an_image_without_groups_has_none():
    assert functional_groups(Dataset()) is None


def test_a_frame_s_own_item_goes_before_the_shared_one():
    groups = functional_groups(
        image(PerFrameFunctionalGroupsSequence=[group(2), group(), group(0)], SharedFunctionalGroupsSequence=[group(5)])
    )
    assert [float(in_group(groups, k, NAME).SliceThickness) for k in range(3)] == [2, 5, 5]
    assert float(in_own_group(groups, 0, NAME).SliceThickness) == 2
    assert in_own_group(groups, 1, NAME) is None
    assert in_group(groups, 1, "PlanePositionSequence") is None


def test_either_kind_of_group_may_be_missing():
    shared = functional_groups(image(SharedFunctionalGroupsSequence=[group(5)]))
    assert float(in_group(shared, 7, NAME).SliceThickness) == 5
    assert in_own_group(shared, 7, NAME) is None
    own = functional_groups(image(PerFrameFunctionalGroupsSequence=[group(2)], SharedFunctionalGroupsSequence=[]))
    assert float(in_group(own, 0, NAME).SliceThickness) == 2
    assert in_group(own, 0, "PlanePositionSequence") is None


@pytest.mark.parametrize(
    ("value", "number"), [(3, 3.0), ("2.5", 2.5), (None, None), ("wide", None), ("1e999", None), ("nan", None)]
)
def test_a_number_is_finite_or_none(value, number):
    assert number_in({"SliceThickness": value}, "SliceThickness") == number
    assert number_in(pydicom.Dataset(), "SliceThickness") is None
