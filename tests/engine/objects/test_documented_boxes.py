"""Every form of boxes in docs/scans.md is read as it says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from form_files import asked, picture
from litemedsam.engine.objects.forms.registry import BOXES_FORMS, form_of
from litemedsam.engine.objects.prepare import prepare
from litemedsam.engine.scan.geometry import Geometry
from litemedsam.engine.scan.scan import Scan
from places import ROOT

SECTION = (ROOT / "docs" / "scans.md").read_text().split("## Boxes in files")[1].split("\n## ")[0]
EXAMPLES = re.findall(r"\*\*([\w ]+)\*\*(?:(?!```).)*```json\n(.*?)```", SECTION, re.DOTALL)
NAMES = {"Our own": "polyp", "COCO detection": "polyp", "labelme": "polyp", "3D Slicer": "liver"}


@pytest.mark.parametrize(("title", "text"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_the_example_means_what_the_text_says(tmp_path, title, text):
    content = json.loads(text)
    if title == "3D Slicer":
        scan = Scan("scan.nii.gz", np.zeros((12, 90, 100), np.uint8), True, Geometry(np.diag([1.0, 1, 2, 1])))
        expected = [12, 20, 3, 80, 77, 9]
    else:
        scan, expected = picture("case.png", 480, 640), [12, 20, 80, 77]
    found = asked(tmp_path, content, scan, str(Path("train") / "case.png"))
    np.testing.assert_array_equal(found.boxes, [expected])
    assert found.names == (NAMES.get(title, ""),)
    assert prepare(scan, found).notes == ()
    points = found.prompts[0].points
    assert (points is not None) == ('"points": [[35' in text or '"point"' in text)


def test_there_is_an_example_of_every_form():
    assert [title for title, _ in EXAMPLES] == [
        "Our own", "Lists", "Rectangles", "COCO detection", "labelme", "3D Slicer"
    ]  # fmt: skip
    shown = {type(form_of(json.loads(text))).__name__ for _, text in EXAMPLES}
    # Results of COCO are recognised to be refused.
    assert shown | {"CocoResults"} == {type(form).__name__ for form in BOXES_FORMS}
