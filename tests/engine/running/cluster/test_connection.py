"""Schedulers that answer or not, workers that are fit or not, and hosts of their own."""

import os
import subprocess
import sys
import threading

import pytest
from cluster_parts import Hosts, Machines, Unruly, contents, wait_until, write_cases
from litemedsam.engine.running.cluster.connection import Connection, connected
from litemedsam.engine.running.cluster.executor import Cluster
from litemedsam.engine.running.cluster.site import Running
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run
from litemedsam.engine.settings import EngineSettings

from litemedsam.errors import LiteMedSamError

pytest.importorskip("distributed")


def infer(folder, *words):
    """Run the command in a folder."""
    command = [sys.executable, "-m", "litemedsam", *map(str, words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_nobody_answers(tmp_path):
    with pytest.raises(LiteMedSamError, match=r"no scheduler answers .*; start one with: dask scheduler"):
        Connection("tcp://127.0.0.1:9", None, 1).open(0)


def test_a_scheduler_without_workers_and_one_whose_worker_lacks_the_package(tiny_bundle, tmp_path):
    # As on a machine where nobody installed it.
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "litemedsam.py").write_text("raise ImportError('no module named litemedsam')\n")
    with Machines(tmp_path, environment={"PYTHONPATH": str(tmp_path / "hidden")}) as machines:
        machines.scheduler()
        connection = Connection(machines.address, None, 0.5)
        connection.open()
        settings = EngineSettings(tiny_bundle)
        with pytest.raises(LiteMedSamError, match="has no workers; start one with: dask worker tcp://"):
            connection.agree(settings, tmp_path, 1)
        machines.worker()
        connection.patience = 20
        with pytest.raises(LiteMedSamError, match=r"cannot run litemedsam .*; install the same version"):
            connection.agree(settings, tmp_path, 1)
        connection.close()


def test_workers_on_hosts_of_their_own(tiny_bundle, tmp_path):
    write_cases(tmp_path / "cases", [f"{k:02}" for k in range(30)])
    with Hosts(2) as hosts, Machines(tmp_path, host="0.0.0.0") as machines:
        machines.scheduler()
        for number in (1, 2):
            address = f"tcp://10.77.{number}.1:{machines.port}"
            machines.worker(f"worker-{number}", hosts.prefix(number), address=address)
        with connected(Running(machines.address), None) as connection:
            wait_until(lambda: len(connection.workers()) == 2)
            assert {address.split(":")[1] for address in connection.workers()} == {"//10.77.1.2", "//10.77.2.2"}
        done = infer(
            tmp_path,
            "-i",
            "cases",
            "-o",
            "hosts",
            "--model",
            tiny_bundle,
            "--cluster",
            machines.address,
            "--precision",
            "f32",
        )
    assert done.returncode == 0, done.stderr
    assert "30 of 30 segmented, 0 failed" in done.stdout
    one = infer(
        tmp_path, "-i", "cases", "-o", "one", "--model", tiny_bundle, "--threads", 1, "-q", "--precision", "f32"
    )
    assert one.returncode == 0
    assert contents(tmp_path / "hosts") == contents(tmp_path / "one")


def test_a_worker_that_comes_later_and_is_not_fit_gets_no_case(tiny_bundle, tmp_path, capsys):
    names = [f"slow-{k}" for k in range(4)] + [f"{k:02}" for k in range(12)]
    cases = write_cases(tmp_path / "cases", names)
    (tmp_path / "notes").mkdir()
    # Another version of the package, on another machine.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text("import litemedsam\nlitemedsam.__version__ = '0.0.1'\n")
    with Machines(tmp_path) as machines:
        machines.scheduler()
        machines.worker()

        def later():
            wait_until(lambda: list((tmp_path / "notes").iterdir()))
            machines.environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path / 'other'}"
            machines.worker("other-version")

        thread = threading.Thread(target=later)
        with connected(Running(machines.address), None) as connection:
            assignment, _ = connection.agree(EngineSettings(tiny_bundle, threads=1), tmp_path, 1)
            thread.start()
            options = Options(tmp_path / "out", Unruly(tmp_path / "notes"))
            reports = run(Cluster(connection, assignment), cases, options, Lines(False, False))
        thread.join()
    assert [report.error for report in reports] == [""] * 16
    assert len(contents(tmp_path / "out")) == 16
    said = capsys.readouterr().out
    assert said.count("Note: left out: the worker at tcp://127.0.0.1:") == 1
    assert "has litemedsam 0.0.1, expected" in said
