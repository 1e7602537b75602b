"""Names of objects become codes of DICOM."""

import pytest
from litemedsam.engine.io.dicom.codes import codes_of

ANATOMY, TISSUE, LESION = "Anatomical Structure", "Tissue", "Morphologically Abnormal Structure"


@pytest.mark.parametrize(
    ("name", "category", "value", "side"),
    [
        ("liver", ANATOMY, "10200004", None),
        ("Liver", ANATOMY, "10200004", None),
        ("kidney_left", ANATOMY, "64033007", "Left"),
        ("Right kidneys", ANATOMY, "64033007", "Right"),
        ("Lung R", ANATOMY, "39607008", "Right"),
        ("left atrium", ANATOMY, "82471001", None),
        ("vertebrae_L3", ANATOMY, "36470004", None),
        ("inferior vena cava", ANATOMY, "64131007", None),
        ("urinary_bladder", ANATOMY, "89837001", None),
        ("oesophagus", ANATOMY, "32849002", None),
        ("tumour 2", LESION, "108369006", None),
        ("Lesion", LESION, "52988006", None),
        ("lymph nodes", TISSUE, "59441001", None),
        ("3.1", TISSUE, "85756007", None),
        ("left", TISSUE, "85756007", None),
        ("something else", TISSUE, "85756007", None),
        ("", TISSUE, "85756007", None),
    ],
)
def test_codes_of_names(name, category, value, side):
    found = codes_of(name)
    assert (found.category.meaning, found.type.value) == (category, value)
    assert found.type.scheme_designator == "SCT"
    assert (None if found.side is None else found.side.meaning) == side
