"""What is written of a scan: where, and in which order."""

from pathlib import Path

import pytest
from litemedsam.engine.io.formats import FORMATS
from litemedsam.engine.running.case_run import run_case
from litemedsam.engine.running.job import Request, segment_file
from litemedsam.engine.running.options import Existing, Options
from litemedsam.engine.running.outputs import Film, LabelMap, Picture, possible_paths

from litemedsam import LiteMedSamError, Predictor


@pytest.mark.parametrize(
    ("target", "picture", "film"),
    [
        ("o/a.nii.gz", "o/a.png", "o/a.gif"),
        ("o/a.npz", "o/a.png", "o/a.gif"),
        ("o/a.png", "o/a.overlay.png", "o/a.overlay.gif"),
        ("o/a.tif", "o/a.overlay.png", "o/a.overlay.gif"),
    ],
)
def test_drawings_lie_beside_the_label_map_and_never_on_it(target, picture, film):
    target = Path(target)
    assert LabelMap(FORMATS["npz"]).path(target) == target
    assert Picture().path(target) == Path(picture)
    assert Film("gif").path(target) == Path(film)
    assert {target, Path(picture), Path(film)} < set(possible_paths([target]))


def test_a_film_of_an_image_is_not_written(tiny_bundle, scans, tmp_path):
    with Predictor(tiny_bundle, threads=1) as predictor:
        flat = segment_file(predictor, Request(scans / "flat.npz"))
        volume = segment_file(predictor, Request(scans / "volume.npz"))
    Film("gif").write(tmp_path / "flat.npz", flat)
    Film("gif").write(tmp_path / "volume.npz", volume)
    assert [path.name for path in tmp_path.iterdir()] == ["volume.gif"]


class Unwritable(type(FORMATS["npz"])):
    """A format whose results fail."""

    def write(self, path, labels, scan, names):
        raise LiteMedSamError(f"{path}: no space")


def test_no_drawing_is_left_where_the_label_map_fails(tiny_bundle, scans, tmp_path):
    drawings = (Picture(), Film("gif"))
    failing = Options(tmp_path, drawings=drawings, format=Unwritable())
    with Predictor(tiny_bundle, threads=1) as predictor:
        report = run_case(predictor, scans / "volume.npz", failing, lambda done, total: None)
        assert "no space" in report.error
        assert list(tmp_path.iterdir()) == []
        report = run_case(predictor, scans / "volume.npz", Options(tmp_path, drawings=drawings), lambda *_: None)
        assert not report.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["volume.gif", "volume.npz", "volume.png"]


@pytest.mark.parametrize("existing", Existing)
def test_results_that_exist_are_replaced_only_on_request(tiny_bundle, scans, tmp_path, existing):
    (tmp_path / "flat.npz").write_bytes(b"former")
    with Predictor(tiny_bundle, threads=1) as predictor:
        report = run_case(predictor, scans / "flat.npz", Options(tmp_path, existing=existing), lambda *_: None)
    replaced = (tmp_path / "flat.npz").read_bytes() != b"former"
    assert replaced == (existing is Existing.REPLACE)
    assert bool(report.error) != replaced
