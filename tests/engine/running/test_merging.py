"""Records of parts, put together."""

import os
from dataclasses import replace

import pytest
from example_run_info import INFO
from litemedsam.engine.reporting.tables import write_report, write_table
from litemedsam.engine.running.merging import merged
from litemedsam.engine.running.parts import Part
from litemedsam.engine.running.records import Records
from sample_reports import FAILED, IMAGE, PATHS, VOLUME

from litemedsam import LiteMedSamError


def always(case):
    return True


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path / "run.json", tmp_path / "run.csv", tmp_path / "run.html")


@pytest.fixture
def write(records):
    """A function that writes the report of a part, newer than those before."""
    written = []

    def write_part(number, count, reports, info=INFO):
        path = Part(number, count).record(records.report)
        write_report(path, info, reports)
        written.append(path)
        os.utime(path, ns=(len(written) * 10**9,) * 2)

    return write_part


def test_parts_together_are_the_record_of_the_whole(records, write, tmp_path):
    write(2, 2, [FAILED, IMAGE])
    write(1, 2, [VOLUME])
    found = merged(records, PATHS, always)
    assert found.reports == [VOLUME, FAILED, IMAGE]
    assert (found.info, found.notes) == (INFO, ())
    found.write(records, PATHS)
    write_report(tmp_path / "whole.json", INFO, [VOLUME, FAILED, IMAGE])
    write_table(tmp_path / "whole.csv", [VOLUME, FAILED, IMAGE])
    assert records.report.read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert records.table.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert "2 of 3 segmented, 1 failed" in records.page.read_text()
    # Merging again changes nothing.
    found.write(records, PATHS)
    assert merged(records, PATHS, always) == found


def test_tables_alone(records, tmp_path):
    alone = Records(table=records.table)
    write_table(Part(1, 2).record(records.table), [VOLUME])
    write_table(Part(2, 2).record(records.table), [FAILED, IMAGE])
    found = merged(alone, PATHS, always)
    assert found.info is None
    found.write(alone, PATHS)
    write_table(tmp_path / "whole.csv", [VOLUME, FAILED, IMAGE])
    assert records.table.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not records.report.exists()


def test_a_success_counts_before_an_error_and_the_newest_of_equals(records, write):
    write(1, 2, [IMAGE])
    write(2, 2, [replace(IMAGE, output="", error="exists"), VOLUME])
    write(1, 3, [replace(VOLUME, voxels=[11, 21])])
    found = merged(records, PATHS, always)
    assert found.reports == [replace(VOLUME, voxels=[11, 21]), IMAGE]
    assert found.notes == ("part 2 of 3 left no record", "part 3 of 3 left no record")


def test_an_array_of_one_task_is_the_whole(records, write):
    write(1, 1, [VOLUME, IMAGE])
    found = merged(records, PATHS, always)
    assert (found.reports, found.info, found.notes) == ([VOLUME, IMAGE], INFO, ())


def test_a_result_that_is_gone_does_not_count(records, write):
    write(1, 2, [VOLUME, FAILED, IMAGE])
    write(2, 2, [])
    assert merged(records, PATHS, lambda case: case.name != "photo.png").reports == [VOLUME, FAILED]


def test_unlike_processors_are_named_and_unlike_settings_refused(records, write):
    write(1, 2, [VOLUME], replace(INFO, precision="bf16", seconds_to_load=2.5, default_model=True))
    write(2, 2, [IMAGE])
    found = merged(records, PATHS, always)
    assert found.info == replace(INFO, precision="bf16, f32", seconds_to_load=2.5)
    assert "were computed in bf16 and f32" in found.notes[0]
    write(2, 2, [IMAGE], replace(INFO, seed=1))
    with pytest.raises(LiteMedSamError, match="different seed: 0 and 1"):
        merged(records, PATHS, always)


def test_files_that_are_no_records_are_refused(records, write):
    with pytest.raises(LiteMedSamError, match=r"run\.json: no part left a record beside it, such as run.part-1-of-2"):
        merged(records, PATHS, always)
    write(1, 1000, [VOLUME])
    for path in (records.report, records.table, records.page, Part(2, 2).record(records.report)):
        path.write_text("mine")
        with pytest.raises(LiteMedSamError, match=f"{path.name}: exists and is no"):
            merged(records, PATHS, always)
        path.unlink()
    with pytest.raises(LiteMedSamError, match="neither a report nor a table"):
        merged(Records(), PATHS, always)
