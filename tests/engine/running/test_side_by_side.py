"""Several images at once in one process."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from litemedsam.engine.cli.main import main
from litemedsam.engine.inference.streams import Growing
from litemedsam.engine.predictor import Predictor
from litemedsam.engine.running.executor import Local
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run
from litemedsam.engine.running.side_by_side import SideBySide, is_image, lanes_for


def write_cases(folder: Path, images: int, volumes: int) -> list[Path]:
    """Write images and volumes of noise, in turn, and one file that is no case."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    paths = [folder / f"{number:02}.npz" for number in range(images + volumes)]
    for number, path in enumerate(paths):
        if number % 3 == 2 and number // 3 < volumes:
            pixels, boxes = rng.integers(0, 255, (4, 60, 50), np.uint8), [[2, 3, 1, 40, 50, 3]] * 2
        else:
            pixels, boxes = rng.integers(0, 255, (70, 60), np.uint8), [[2, 3, 40, 50]] * (1 + number % 5)
        np.savez(path, imgs=pixels, boxes=boxes)
    (folder / "broken.npz").write_bytes(b"no archive")
    return [*paths, folder / "broken.npz"]


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_results_and_reports_are_those_of_one_after_the_other(untrained_bundle, tmp_path, backend):
    cases = write_cases(tmp_path / "cases", 12, 3)
    found = {}
    for name in ("one", "several"):
        lanes = 1 if name == "one" else 3
        policy = Growing(3, many=True, images=lanes)
        with Predictor(untrained_bundle, backend, "f32", threads=3, policy=policy) as predictor:
            executor = Local(predictor) if lanes == 1 else SideBySide(predictor, lanes)
            reports = run(executor, cases, Options(tmp_path / name), Lines(False, True))
            assert predictor.network.streams.encoding == 3
        found[name] = (
            {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()},
            [(Path(report.case).name, report.scores, report.voxels, report.error) for report in reports],
        )
    assert len(found["one"][0]) == 15
    assert found["one"] == found["several"]
    assert "broken.npz" in found["one"][1][-1][3]


def test_the_command_works_on_several_images_at_once(tiny_bundle, tmp_path):
    write_cases(tmp_path / "cases", 5, 1)
    results = []
    for threads in ("1", "2"):
        output = tmp_path / threads
        arguments = ["-i", tmp_path / "cases", "-o", output, "--model", tiny_bundle, "--threads", threads]
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == 1
        assert "6 of 7 segmented, 1 failed" in done.output
        results.append({path.name: path.read_bytes() for path in output.iterdir()})
    assert len(results[0]) == 6
    assert results[0] == results[1]


def test_a_run_that_is_left_begins_no_further_case(tiny_bundle, tmp_path):
    cases = write_cases(tmp_path / "cases", 40, 0)[:-1]
    with Predictor(tiny_bundle, threads=2, policy=Growing(2, images=2)) as predictor:
        reports = SideBySide(predictor, 2).reports(cases, Options(tmp_path / "results"), Lines(False, True))
        assert next(reports).error == ""
        reports.close()
    names = [path.name for path in (tmp_path / "results").iterdir()]
    assert 1 <= len(names) < 10
    assert not [name for name in names if name.endswith(".part")]


def test_lanes_and_images(tmp_path, monkeypatch):
    assert [lanes_for(threads, 9) for threads in (1, 2, 4, 16)] == [1, 3, 5, 5]
    assert lanes_for(4, 2) == 2
    monkeypatch.setattr("litemedsam.engine.running.side_by_side.spare_memory", lambda: False)
    assert lanes_for(4, 9) == 1
    image, _, volume, *_, broken = write_cases(tmp_path, 3, 1)
    (tmp_path / "picture.PNG").write_bytes(b"")
    assert is_image(image)
    assert is_image(tmp_path / "picture.PNG")
    for other in (volume, broken, tmp_path / "absent.png", tmp_path / "scan.nii.gz", tmp_path):
        assert not is_image(other)
