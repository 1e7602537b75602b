"""Cases in several processes."""

import numpy as np
from click.testing import CliRunner
from litemedsam.engine.cli.main import main


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
