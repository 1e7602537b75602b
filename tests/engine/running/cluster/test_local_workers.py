"""Workers as processes of this machine."""

import psutil
import pytest
from cluster_parts import wait_until, write_cases
from litemedsam.engine.running.cluster.connection import connected
from litemedsam.engine.running.cluster.executor import Cluster
from litemedsam.engine.running.cluster.local_workers import LocalWorkers
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run
from litemedsam.engine.settings import EngineSettings

pytest.importorskip("distributed")


def worker_processes():
    """The workers that this process started."""
    found = []
    for child in psutil.Process().children():
        # A process that has just ended is still listed.
        if child.status() != psutil.STATUS_ZOMBIE and "spawn_main" in " ".join(child.cmdline()):
            found.append(child)
    return found


def test_a_worker_that_dies_while_it_starts_is_replaced(tiny_bundle, tmp_path):
    cases = write_cases(tmp_path / "cases", ["a", "b"])
    before = worker_processes()
    with connected(LocalWorkers(1), None) as connection:
        assignment, _ = connection.agree(EngineSettings(tiny_bundle, threads=1), tmp_path, 1)
        assert [address.split(":")[1] for address in connection.workers()] == ["//127.0.0.1"]
        [first] = [process for process in worker_processes() if process not in before]
        first.kill()
        # The library starts another one, and none after that.
        [second] = wait_until(lambda: [each for each in worker_processes() if each not in (*before, first)])
        second.kill()
        reports = run(Cluster(connection, assignment), cases, Options(tmp_path / "out"), Lines(False, True))
    assert [report.error for report in reports] == ["", ""]
    assert wait_until(lambda: [each for each in worker_processes() if each not in before] == [])
