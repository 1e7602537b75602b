"""Cases on the workers of a cluster, whatever happens to these."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from cluster_parts import Machines, Unruly, contents, wait_until, write_cases
from litemedsam.engine.predictor import Predictor
from litemedsam.engine.running.cluster.connection import connected
from litemedsam.engine.running.cluster.executor import Cluster
from litemedsam.engine.running.cluster.local_workers import LocalWorkers
from litemedsam.engine.running.cluster.site import Running
from litemedsam.engine.running.executor import Local
from litemedsam.engine.running.options import Existing, Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.running.run import run
from litemedsam.engine.settings import EngineSettings

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def workers():
    """Two workers on this machine, which the tests share."""
    with connected(LocalWorkers(2), None) as connection:
        yield connection


@pytest.fixture
def segment(tiny_bundle, tmp_path):
    """A function (connection, cases) to the reports of a run into `results` of the test's folder."""
    (tmp_path / "notes").mkdir()

    def call(connection, cases, output=None, existing=Existing.KEEP, count=2):
        output = output or tmp_path / "results"
        output.mkdir(exist_ok=True)
        options = Options(output, Unruly(tmp_path / "notes"), existing=existing)
        settings = EngineSettings(tiny_bundle, precision="f32", threads=1)
        assignment, _ = connection.agree(settings, output, count)
        return run(Cluster(connection, assignment), cases, options, Lines(False, False))

    return call


@pytest.fixture
def expected(tiny_bundle, tmp_path):
    """A function (cases) to the bytes of their results in one process."""

    def call(cases):
        options = Options(tmp_path / "expected")
        with Predictor(tiny_bundle, precision="f32", threads=1) as predictor:
            assert not [
                report.error for report in run(Local(predictor), cases, options, Lines(False, True)) if report.error
            ]
        return contents(tmp_path / "expected")

    return call


def test_the_results_are_those_of_one_process(workers, segment, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cases = [path.relative_to(tmp_path) for path in write_cases(tmp_path / "cases", [f"{k:02}" for k in range(20)])]
    reports = segment(workers, cases)
    assert [report.error for report in reports] == [""] * 20
    assert [report.case for report in reports] == [str(case) for case in cases]
    assert contents(tmp_path / "results") == expected(cases)
    assert "0 of 20, 2 workers" in capsys.readouterr().out
    # Again: nothing is replaced, and each case says so.
    reports = segment(workers, cases[:3])
    assert all("exists; add --overwrite or --skip-existing" in report.error for report in reports)
    assert segment(workers, cases[:3], existing=Existing.SKIP) == []
    assert [report.error for report in segment(workers, cases[:3], existing=Existing.REPLACE)] == [""] * 3


def test_a_case_whose_worker_is_killed_is_segmented_by_another(workers, segment, expected, tmp_path):
    cases = write_cases(tmp_path / "cases", ["once", *(f"{k:02}" for k in range(8))])

    def kill():
        note = wait_until(lambda: list((tmp_path / "notes").glob("once.*")))[0]
        os.kill(int(note.suffix[1:]), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    reports = segment(workers, cases)
    thread.join()
    assert [report.error for report in reports] == [""] * 9
    assert len(list((tmp_path / "notes").iterdir())) == 2
    assert contents(tmp_path / "results") == expected(cases)


def test_a_case_that_always_kills_its_worker_is_the_only_one_that_fails(workers, segment, expected, tmp_path):
    cases = write_cases(
        tmp_path / "cases", ["deadly", *(f"slow-{k}" for k in range(3)), *(f"{k:02}" for k in range(6))]
    )
    reports = segment(workers, cases)
    assert "its worker died each time" in reports[0].error
    assert [report.error for report in reports[1:]] == [""] * 9
    assert len(list((tmp_path / "notes").glob("deadly.*"))) == 4
    assert contents(tmp_path / "results") == expected(cases[1:])


def test_errors_of_cases_are_those_of_one_process(workers, segment, tmp_path, tiny_bundle):
    cases = write_cases(tmp_path / "cases", ["a", "b"])
    cases[0].write_bytes(b"no archive")
    cases.append(tmp_path / "cases" / "absent.npz")
    options = Options(tmp_path / "expected")
    with Predictor(tiny_bundle, precision="f32", threads=1) as predictor:
        one = run(Local(predictor), cases, options, Lines(False, True))
    assert [report.error for report in segment(workers, cases)] == [report.error for report in one]


INFER = [sys.executable, "-m", "litemedsam"]


def test_a_scheduler_that_is_restarted(segment, expected, tmp_path):
    cases = write_cases(tmp_path / "cases", ["slow-0", *(f"{k:02}" for k in range(12)), "slow-1", "slow-2"])
    with Machines(tmp_path) as machines:
        first = machines.scheduler()
        machines.worker()

        def restart():
            wait_until(lambda: list((tmp_path / "notes").glob("slow-0.*")))
            os.killpg(first.pid, signal.SIGKILL)
            first.wait()
            machines.scheduler()
            machines.worker()

        thread = threading.Thread(target=restart)
        thread.start()
        with connected(Running(machines.address), None) as connection:
            reports = segment(connection, cases, count=1)
        thread.join()
    assert [report.error for report in reports] == [""] * 15
    assert contents(tmp_path / "results") == expected(cases)


def test_a_signal_stops_the_run_and_every_worker(tiny_bundle, tmp_path):
    write_cases(tmp_path / "cases", [f"{k:03}" for k in range(3000)])
    command = [*INFER, "-i", "cases", "-o", "out", "--model", tiny_bundle, "--cluster", "local:2", "--report", "r.json"]
    process = subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: len(list((tmp_path / "out").glob("*.npz"))) > 20)
    # As a terminal sends it: to the workers, too.
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "Stopped by SIGINT\n"

    def ended():
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(ended, 10)
    names = [path.name for path in (tmp_path / "out").iterdir()]
    assert 20 < len(names) < 3000
    assert not [name for name in names if name.startswith(".")]
