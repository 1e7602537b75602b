"""Names of the challenge's files, and the splits that they give."""

from pathlib import Path

import pytest
from litemedsam.evaluation.groups import axes_of, group_of
from litemedsam.export.calibration import NamedCase
from litemedsam.training.cases import Case, read_case, split

from litemedsam.challenge import CaseName, place_of


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("2DBox_US_HC18-fetalhead_004", CaseName("2DBox", 2, "US", "HC18-fetalhead", "004")),
        ("3DBox_CT_set_STS_004", CaseName("3DBox", 3, "CT", "set", "STS_004")),
        ("2DBox_Microscope_0008", CaseName("2DBox", 2, "Microscope", "", "0008")),
        ("3D_MR_set_1", CaseName("3D", 3, "MR", "set", "1")),
        *(
            (stem, None)
            for stem in ("case", "2DBox", "2DBox_", "2DBox_US", "4DBox_US_a_b", "x2DBox_US_a_b", "2DBox__a")
        ),
    ],
)
def test_names_are_taken_apart(stem, expected):
    assert CaseName.of(stem) == expected


@pytest.mark.parametrize(("rest", "patient"), [("sub-a_1", "sub-a"), ("sub-12", "sub-12"), ("a_sub-1", "a_sub-1")])
def test_images_of_one_subject_are_one_patient(rest, patient):
    assert CaseName("2DBox", 2, "US", "set", rest).patient == patient


# As the rooms found them when each had a parser of its own: group and axes in evaluation; modality, source and place
# in export; group, source and side of a split of a quarter in training.
RECORDED = {
    "3DBox_PET_STS-sarcoma_STS_049": (
        ("PET", 3), ("PET", "STS-sarcoma_STS_049", 0.7291890773922205), ("3DBox_PET_STS-sarcoma", "STS_049", False)
    ),
    "2DBox_US_set_sub-a_1": (
        ("US", 2), ("US", "set_sub-a", 0.03278652089647949), ("2DBox_US_set", "sub-a", True)
    ),
    "2DBox_Microscope_0008": (
        ("Microscopy", 2), ("other", "2DBox_Microscope_0008", 0.9838851182721555),
        ("cases", "2DBox_Microscope_0008", False)
    ),
    "2DBox_X-Ray_0053": (
        ("X-Ray", 2), ("other", "2DBox_X-Ray_0053", 0.24211424705572426), ("cases", "2DBox_X-Ray_0053", True)
    ),
    "3D_CT_set_sub-1_x": (
        ("CT", 3), ("CT", "set_sub-1", 0.47463041823357344), ("cases", "3D_CT_set_sub-1_x", False)
    ),
    "2DPoint_US_set_4": (("US", 2), ("US", "set_4", 0.0696327246259898), ("cases", "2DPoint_US_set_4", False)),
    "4DBox_US_a_b": (("other", None), ("other", "4DBox_US_a_b", 0.08463859278708696), ("cases", "4DBox_US_a_b", True)),
}  # fmt: skip


@pytest.mark.parametrize("stem", RECORDED)
def test_groups_and_splits_are_as_recorded(stem):
    evaluated, exported, trained = RECORDED[stem]
    assert (group_of(f"{stem}.npz", 2), axes_of(f"{stem}.npz")) == evaluated
    case = NamedCase.of(Path(f"{stem}.npz"))
    assert (case.modality, case.source, case.place) == exported
    group, source, measured = trained
    learnt_and_measured = split([Case(stem, group, source, ())], 0.25)
    assert [len(side) for side in learnt_and_measured] == [not measured, measured]


def test_training_names_its_groups_and_sources_as_recorded(tmp_path):
    import numpy as np

    for stem, (_, _, (group, source, _)) in RECORDED.items():
        marks = np.ones((6, 6), np.uint8)
        np.savez(tmp_path / f"{stem}.npz", imgs=marks, gts=marks)
        case = read_case(tmp_path / f"{stem}.npz")
        assert (case.name, case.group, case.source) == (stem, group, source)


def test_places_are_spread_evenly():
    places = [place_of(str(number)) for number in range(2000)]
    assert 0 <= min(places) < 0.01
    assert 0.99 < max(places) < 1
    assert abs(sum(place < 0.25 for place in places) - 500) < 60
