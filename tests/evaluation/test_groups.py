"""File names are sorted into groups."""

import pytest
from litemedsam.evaluation.groups import GROUPS, group_of, in_order


@pytest.mark.parametrize(
    ("name", "axes", "group"),
    [
        ("2DBox_Microscope_0008.npz", 2, "Microscopy"),
        ("2DBox_Microscopy_DSB2018_0287.npz", 2, "Microscopy"),
        ("2DBox_X-Ray_0053.npz", 2, "X-Ray"),
        ("2DBox_XRay_COVIDCXR_1.npz", 2, "X-Ray"),
        ("3DBox_CT_0566.npz", 3, "CT 3D"),
        ("3DBox_PET_a_b.npz", 3, "PET 3D"),
        ("2DBox_PET_0001.npz", 2, "PET"),
        ("2DBox_Thermography_1.npz", 2, "Thermography"),
        ("case.npz", 2, "other"),
        ("case.npz", 3, "other 3D"),
    ],
)
def test_group_of(name, axes, group):
    assert group_of(name, axes) == group


def test_there_are_13_in_the_order_of_the_tables():
    assert len(GROUPS) == 13
    assert in_order(["other", "CT 3D", "US", "CT", "CT"]) == ["CT", "US", "CT 3D", "other"]
