"""What runs in a worker."""

import numpy as np
import pytest
from cluster_parts import Machines, predictors_inside, write_cases
from litemedsam.engine.running.cluster.connection import connected
from litemedsam.engine.running.cluster.executor import Cluster
from litemedsam.engine.running.cluster.site import Running
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run
from litemedsam.engine.settings import EngineSettings

pytest.importorskip("distributed")


def test_a_worker_has_one_predictor_and_keeps_to_its_limits(tiny_bundle, tmp_path):
    cases = write_cases(tmp_path / "cases", [f"{k}" for k in range(8)])
    big = tmp_path / "cases" / "big.npz"
    np.savez_compressed(big, imgs=np.zeros((400, 700, 700), np.uint8), boxes=[[1, 1, 1, 9, 9, 9]])
    with Machines(tmp_path) as machines:
        machines.scheduler()
        machines.worker(options=["--memory-limit", "1GB"])
        with connected(Running(machines.address), None) as connection:
            assignment, _ = connection.agree(EngineSettings(tiny_bundle, threads=2), tmp_path, 1)
            reports = run(Cluster(connection, assignment), [big, *cases], Options(tmp_path / "out"), Lines(False, True))
            assert list(connection._client.run(predictors_inside).values()) == [(1, 2, "1", 1)]
    # What needs more than the worker's memory is refused before it starts; the others go on.
    assert "GB of memory, expected at most the" in reports[0].error
    assert [report.error for report in reports[1:]] == [""] * 8
