"""The page of a run: all of it, nothing from elsewhere, and no text of the user's taken for HTML."""

import re
from html.parser import HTMLParser

from example_run_info import INFO
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.reporting.html import page
from litemedsam.engine.scan.colours import colour

CASE = CaseReport(
    case="a<b>.nii.gz", output="out/a.nii.gz", shape=[3, 40, 50], objects=2, encoded=3, scores=[0.5, 0.75],
    voxels=[10, 20], names=["{left} & <i>", ""], volumes_ml=[1.5, 2.25],
    boxes=[[0, 1, 0, 2, 3, 1], [1, 1, 0, 2, 3, 2.0]], notes=["raw units"], seconds={"total": 2.5},
)  # fmt: skip
IMAGE = CaseReport(
    case="photo.png", output="out/photo.png", shape=[40, 50, 3], objects=1, encoded=1, scores=[0.5], voxels=[7],
    names=[""], boxes=[[0, 0, 2, 3]], seconds={"total": 0.25},
)  # fmt: skip


class Texts(HTMLParser):
    """Texts by tag, and all attributes."""

    def __init__(self):
        super().__init__()
        self.cells, self.attributes, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        if self.tags[-1] in ("td", "th", "span"):
            self.cells.append(data)


def test_the_page_of_a_run():
    text = page(INFO, [CASE, IMAGE, CaseReport(case="x", error="x: broken <b>")], {"photo.png": b"picture"})
    read = Texts()
    read.feed(text)
    assert "2 of 3 segmented, 1 failed" in text
    assert "{left} & <i>" in read.cells
    assert not {"b", "i", "script", "link"} & set(read.tags)
    assert all(value.startswith("data:image/png") for name, value in read.attributes if name in ("src", "href"))
    swatches = re.findall(r"background:#([0-9a-f]{6})\"", text)
    assert swatches == [bytes(colour(k)).hex() for k in (1, 2, 1)]
    heads = re.findall(r"<tr><th>.*</tr>", text)
    assert "volume in ml" in heads[0]
    assert "<th>name</th>" in heads[0]
    # Columns of which there is nothing to say.
    assert heads[1].count("<th>") == 4
    assert {"model", "a model", "weights", "untrained", "not for", "threads", "2"} <= set(read.cells)
    assert read.cells.count("a model") == 1
