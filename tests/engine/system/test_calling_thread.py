"""A task in the calling thread: run at once, and its error raised where its result is asked for."""

import threading

import pytest
from litemedsam.engine.system.calling_thread import CallingThread


def test_a_task_runs_at_once_and_its_error_waits_for_who_asks():
    pool, done = CallingThread(), []
    assert pool.submit(lambda value: done.append(value) or value, 3).result() == 3
    assert done == [3]
    future = pool.submit(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        future.result()


def test_no_other_thread_runs_a_task():
    with CallingThread() as pool:
        found = list(pool.map(lambda k: (k, threading.get_ident()), range(3)))
    assert found == [(k, threading.get_ident()) for k in range(3)]
