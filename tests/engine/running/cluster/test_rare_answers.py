"""What a run makes of answers that real clusters give rarely. The real ones are in `test_executor.py`."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from cluster_parts import write_cases
from litemedsam.engine.bundle.precision import Choice
from litemedsam.engine.reporting.case_report import CaseReport
from litemedsam.engine.running.cluster import connection, executor, worker
from litemedsam.engine.running.cluster.agreement import Agreement
from litemedsam.engine.running.cluster.connection import Connection, Lost
from litemedsam.engine.running.cluster.executor import Cluster
from litemedsam.engine.running.cluster.tasks import Task
from litemedsam.engine.running.cluster.worker import Assignment, Cancelled, OnePredictor, Outcome
from litemedsam.engine.running.options import Options
from litemedsam.engine.running.reporters import Lines
from litemedsam.engine.settings import EngineSettings

from litemedsam import LiteMedSamError

pytest.importorskip("distributed")

ASSIGNMENT = Assignment(EngineSettings(), Agreement(Choice("f32", ""), ("f32", True), "1", "w"), Path("/out"))


@dataclass(eq=False)
class Answer:
    """A task's future."""

    status: str
    value: object = None

    def result(self, timeout):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def exception(self):
        return self.value

    def release(self):
        self.status = "released"


@dataclass
class Scripted:
    """A connection whose scheduler gives the answers of a list, and then writes the result."""

    answers: list = field(default_factory=list)
    known: list = field(default_factory=lambda: [{"one": True}])
    opens: list = field(default_factory=list)
    patience: float = 0.3
    revived: int = 0

    def workers(self):
        found = self.known[0] if len(self.known) == 1 else self.known.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    def submit(self, task, key, fit, done):
        if not self.answers:
            task.target.parent.mkdir(parents=True, exist_ok=True)
            task.target.write_bytes(b"")
            answer = Answer("finished", Outcome("one", CaseReport(str(task.case), str(task.target))))
        else:
            answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer.status in ("finished", "error"):
            done(answer)
        return answer

    def open(self, patience):
        found = self.opens.pop(0) if self.opens else None
        if found is not None:
            raise found

    def cancel(self, futures):
        pass

    def revive(self):
        self.revived += 1


@pytest.fixture
def errors(tmp_path, monkeypatch):
    """A function (connection, number of cases) to the errors of a run, in the order of the cases."""
    monkeypatch.setattr(executor, "_LOOK", 0.02)

    def call(connection, count=3):
        cases = write_cases(tmp_path / "cases", [f"{k}" for k in range(count)])
        reports = list(Cluster(connection, ASSIGNMENT).reports(cases, Options(tmp_path / "out"), Lines(False, True)))
        assert sorted(report.case for report in reports) == sorted(map(str, cases))
        return [report.error.removeprefix(f"{report.case}: ") for report in reports]

    return call


@pytest.mark.parametrize(
    ("known", "words"),
    [({}, "no worker is left since 0 s"), ({"one": False}, "the memory of every worker is full since 0 s")],
)
def test_a_run_without_able_workers_ends_with_the_reason(errors, known, words):
    found = errors(Scripted(known=[{"one": True}, known], answers=[Answer("running") for _ in range(3)]))
    assert found == [f"{words}; start workers, and add --skip-existing to go on"] * 3


@pytest.mark.parametrize("script", [Scripted(known=[Lost(), {"one": True}]), Scripted(answers=[Lost()])])
def test_a_lost_scheduler_gets_its_tasks_again(errors, script):
    assert errors(script) == [""] * 3


def test_a_scheduler_that_stays_away_is_told_for_every_case(errors):
    gone = LiteMedSamError("tcp://a: no scheduler answers", "start one")
    assert errors(Scripted(known=[Lost()], opens=[gone])) == ["tcp://a: no scheduler answers; start one"] * 3


@pytest.mark.parametrize("answer", [Answer("cancelled"), Answer("lost"), Answer("finished", OSError("gone"))])
def test_a_case_without_an_answer_is_submitted_again(errors, answer):
    assert errors(Scripted(answers=[answer])) == [""] * 3


def test_an_unexpected_exception_of_a_worker_is_an_error_of_its_case(errors):
    assert sorted(errors(Scripted(answers=[Answer("error", ZeroDivisionError("by 0"))]))) == [
        "",
        "",
        "ZeroDivisionError: by 0",
    ]


def test_unfit_workers_are_left_out(errors, capsys):
    unfit = Answer("finished", Outcome("one", unfit="has another version"))
    assert errors(Scripted(known=[{"one": True, "two": True}], answers=[unfit])) == [""] * 3
    found = errors(Scripted(answers=[Answer("finished", Outcome("one", unfit="has another model"))]), 4)
    assert "the worker at one has another model; give all workers the same litemedsam, models and folders" in found


def test_a_result_that_is_not_seen_here_is_an_error(errors, monkeypatch):
    monkeypatch.setattr(executor, "_SEEN", 0.3)
    unseen = [Answer("finished", Outcome("one", CaseReport("x", "/else/x.npz"))) for _ in range(2)]
    first, second, third = errors(Scripted(answers=unseen))
    for error in (first, second):
        assert re.search(r"the worker at one wrote .*\.npz, which is not seen here; give a folder that all", error)
    assert third == ""


def test_workers_are_revived_now_and_then(errors, monkeypatch):
    monkeypatch.setattr(executor, "_REVIVE", 0)
    script = Scripted()
    assert errors(script) == [""] * 3
    assert script.revived > 0


def test_a_plugin_that_never_began_ends_quietly():
    OnePredictor(ASSIGNMENT, "name").teardown(None)
    assert ASSIGNMENT not in worker._rooms


@pytest.mark.parametrize("state", [None, "cancelled", "released", "forgotten"])
def test_a_case_that_nobody_waits_for_stops_at_its_next_step(state):
    tasks = {} if state is None else {"key": SimpleNamespace(state=state)}
    with pytest.raises(Cancelled):
        worker._go_on(SimpleNamespace(state=SimpleNamespace(tasks=tasks)), "key", 1, 2)


def failing(error):
    def call(*arguments, **named):
        raise error

    return call


def connection_of(**client):
    """A connection whose client answers as given."""
    made = Connection("tcp://a", None, 0.2)
    made._client = SimpleNamespace(scheduler=SimpleNamespace(identity=None), **client)
    return made


@pytest.mark.parametrize(
    "client",
    [
        {"status": "connecting"},
        {"status": "running", "sync": failing(TimeoutError())},
        {"status": "running", "sync": lambda *_, **__: {}},
    ],
)
def test_a_scheduler_that_does_not_list_its_workers_is_lost(client):
    with pytest.raises(Lost):
        connection_of(**client).workers()


def test_a_scheduler_that_takes_no_task_is_lost(tmp_path):
    (case,) = write_cases(tmp_path / "cases", ["a"])
    task = Task.of(case, Options(tmp_path / "out"), ASSIGNMENT)
    with pytest.raises(Lost):
        connection_of(status="running", submit=failing(OSError())).submit(task, "key", (), print)


def test_waiting_for_workers_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "_LONG", -1)
    alone, told = connection_of(status="running", sync=lambda *_, **__: {"workers": {}}), []
    with pytest.raises(LiteMedSamError, match="tcp://a: has no workers; start one with: dask worker tcp://a"):
        alone.agree(EngineSettings(), tmp_path, 1, told.append)
    assert told == ["tcp://a: waiting for workers"]


def test_nothing_is_cancelled_at_a_scheduler_that_is_away():
    calls = []
    away = connection_of(status="closed", sync=lambda *given, **named: calls.append(given))
    away.cancel([1])
    assert calls == []
    away._client.status, away._client._cancel = "running", "cancel"
    away.cancel([1])
    assert calls == [("cancel", [1])]
