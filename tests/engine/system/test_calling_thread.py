"""The executor without threads: at once, in the calling thread, errors by the future."""

import threading

import pytest
from litemedsam.engine.system.calling_thread import CallingThread


def test_a_task_has_run_before_submit_returns():
    ran = []
    future = CallingThread().submit(
        lambda *given, **named: ran.append((given, named, threading.current_thread())), 1, k=2
    )
    assert future.done()
    assert ran == [((1,), {"k": 2}, threading.current_thread())]


def test_results_and_errors_come_by_the_future():
    with CallingThread() as pool:
        assert pool.submit(divmod, 7, 2).result() == (3, 1)
        failed = pool.submit(divmod, 7, 0)
        assert list(pool.map(abs, [-1, 2])) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        failed.result()
