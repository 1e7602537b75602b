"""One case of a run: its report, its failure in one line, and no result where none may be."""

from dataclasses import dataclass

import pytest
from litemedsam.engine.objects.sources import GivenBoxes
from litemedsam.engine.running.case_run import run_case
from litemedsam.engine.running.options import Existing, Options

from litemedsam import LiteMedSamError, Predictor


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, "onnxruntime", threads=1) as made:
        yield made


def ran(predictor, case, options):
    return run_case(predictor, case, options, lambda done, total: None)


def test_a_report_has_the_time_of_every_stage(predictor, scans, tmp_path):
    report = ran(predictor, scans / "volume.npz", Options(tmp_path))
    assert report.error == ""
    assert (report.output, report.shape, report.labels) == (str(tmp_path / "volume.npz"), [5, 40, 48], [1])
    assert set(report.seconds) == {"read", "load", "encode", "prompts", "decode", "masks", "write", "total"}
    assert report.seconds["total"] >= report.seconds["read"] + report.seconds["write"]


def test_a_failure_names_its_case_once(predictor, scans, tmp_path):
    absent = ran(predictor, scans / "absent.npz", Options(tmp_path))
    assert absent.error.count("absent.npz") == 1
    # The error of a box names the box alone.
    beyond = ran(predictor, scans / "slice.png", Options(tmp_path, GivenBoxes([[1, 1, 99, 9]])))
    assert beyond.error.startswith(f"{scans / 'slice.png'}: ")
    assert beyond.error.count("slice.png") == 1
    assert (beyond.output, beyond.seconds) == ("", {})
    assert list(tmp_path.iterdir()) == []


def test_an_existing_result_is_kept_and_the_remedy_named(predictor, scans, tmp_path):
    (tmp_path / "flat.npz").write_bytes(b"former")
    for existing in (Existing.KEEP, Existing.SKIP):
        report = ran(predictor, scans / "flat.npz", Options(tmp_path, existing=existing))
        assert report.error.endswith("flat.npz exists; add --overwrite or --skip-existing")
    assert (tmp_path / "flat.npz").read_bytes() == b"former"


def test_no_result_follows_a_link_out_of_its_folder(predictor, scans, tmp_path):
    outside, results = tmp_path / "outside", tmp_path / "results"
    outside.mkdir()
    results.mkdir()
    (results / "sub").symlink_to(outside)
    case = scans / "flat.npz"
    report = ran(predictor, case, Options(results, subfolders={case: (results / "sub").relative_to(results)}))
    assert f"its result would leave {results} through a link, to {outside}" in report.error
    assert list(outside.iterdir()) == []


class Written:
    """An output that is a file, or a folder of one."""

    stage = "write"

    def __init__(self, name, folder):
        self.name, self.folder = name, folder

    def path(self, target):
        return target.with_name(self.name)

    def write(self, target, done):
        place = self.path(target)
        if self.folder:
            place.mkdir()
            place /= "one"
        place.write_bytes(b"drawn")


class Failing(Written):
    def write(self, target, done):
        raise LiteMedSamError("the disk is full")


@dataclass(frozen=True)
class Both(Options):
    """Options whose last output fails."""

    def outputs(self, case):
        return [Written("drawing", False), Written("masks", True), Failing("map", False)]


def test_nothing_stays_beside_a_label_map_that_cannot_be_written(predictor, scans, tmp_path):
    report = ran(predictor, scans / "flat.npz", Both(tmp_path))
    assert report.error.endswith("the disk is full")
    assert list(tmp_path.iterdir()) == []
