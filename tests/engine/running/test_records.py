"""The records of a run: written as it goes, continued, and never in place of another file."""

import json
from pathlib import Path

import pytest
from example_run_info import INFO
from litemedsam.engine.reporting.html import PAGE_HEAD
from litemedsam.engine.running.parts import Part
from litemedsam.engine.running.records import RecordKeeper, Records
from PIL import Image
from sample_reports import FAILED, IMAGE, PATHS, VOLUME

from litemedsam import LiteMedSamError


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path / "run.json", tmp_path / "run.csv", tmp_path / "run.html")


def test_only_the_records_that_are_asked_for_are_written(records, tmp_path):
    assert Records().paths == ()
    assert Records().earlier() == []
    RecordKeeper(Records(), INFO, PATHS).note([VOLUME])
    RecordKeeper(Records(), INFO, PATHS).finish([VOLUME])
    assert list(tmp_path.iterdir()) == []
    assert Records(table=records.table).paths == (records.table,)
    RecordKeeper(Records(table=records.table), INFO, PATHS).note([VOLUME])
    assert list(tmp_path.iterdir()) == [records.table]


def test_a_part_has_records_of_its_own(records, tmp_path):
    own = Records(records.report, None, records.page).of_part(Part(2, 5))
    assert own == Records(tmp_path / "run.part-2-of-5.json", None, tmp_path / "run.part-2-of-5.html")
    assert records.of_part(Part()) == records


def test_a_run_that_is_continued_keeps_what_went_well_before(records):
    RecordKeeper(records, INFO, PATHS).note([VOLUME, FAILED])
    earlier = records.earlier()
    # The report has more of a case than the table, and comes last.
    assert earlier[-2:] == [VOLUME, FAILED]
    RecordKeeper(records, INFO, PATHS, earlier).note([IMAGE])
    cases = json.loads(records.report.read_text())["cases"]
    assert [case["case"] for case in cases] == [VOLUME.case, IMAGE.case]
    assert cases[0]["seconds"] == VOLUME.seconds


def test_the_page_comes_at_the_end_with_the_pictures_that_exist(records, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Image.new("RGB", (4, 4)).save("out/photo.overlay.png")
    keeper = RecordKeeper(records, INFO, PATHS)
    keeper.note([VOLUME, IMAGE])
    assert not records.page.exists()
    keeper.finish([VOLUME, IMAGE, FAILED])
    page = records.page.read_text()
    assert page.startswith(PAGE_HEAD)
    assert page.count("data:image/png;base64,") == 1
    assert records.earlier()[-1] == IMAGE


@pytest.mark.parametrize("name", ["report", "table", "page"])
def test_another_file_is_never_replaced(records, name):
    path = getattr(records, name)
    path.write_text("mine")
    with pytest.raises(LiteMedSamError, match=rf"{path.name}: exists and is no {name}"):
        records.earlier()
