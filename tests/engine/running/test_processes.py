"""Cases in several processes."""

import numpy as np
from click.testing import CliRunner
from litemedsam.engine.cli.main import main
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.processes import Processes
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.settings import EngineSettings


def test_workers_give_the_same_bytes(tiny_bundle, tmp_path):
    cases = tmp_path / "cases"
    cases.mkdir()
    rng = np.random.default_rng(0)
    for number in range(7):
        np.savez(cases / f"{number}.npz", imgs=rng.integers(0, 255, (70, 60), np.uint8), boxes=[[2, 3, 40, 50]] * 3)
    results = []
    for workers in ("1", "2", "3"):
        output = tmp_path / workers
        arguments = ["-i", cases, "-o", output, "--model", tiny_bundle, "--workers", workers, "--overlay", "-q"]
        run = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert run.exit_code == 0, run.output
        results.append({path.name: path.read_bytes() for path in output.iterdir()})
    assert len(results[0]) == 14
    assert results[0] == results[1] == results[2]


def test_no_case_needs_no_process(tiny_bundle, tmp_path):
    executor = Processes(EngineSettings(bundle=tiny_bundle), 2)
    assert list(executor.reports([], Options(tmp_path), Lines(False, True))) == []
