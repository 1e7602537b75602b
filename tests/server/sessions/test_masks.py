"""Masks are computed once, no longer than they are wanted, and a failure stays one object's."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from litemedsam.server.sessions import masks
from litemedsam.server.sessions.masks import MaskKeeper, ObjectMask

from litemedsam import LiteMedSamError


@pytest.fixture
def pool():
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Model:
    """Gives a mask as large as its box, and counts; waits at the prompts in `slow` until `go` is set."""

    def __init__(self, slow=(), bad=None):
        self.asked, self.slow, self.bad = [], slow, bad
        self.go, self.begun = Event(), Event()

    def __call__(self, prompt, progress):
        self.asked.append(prompt)
        self.begun.set()
        for step in range(2):
            progress(step, 2)
            if prompt in self.slow:
                assert self.go.wait(10)
        if self.bad is not None and prompt == A:
            raise self.bad
        return ObjectMask.of(np.ones((20, 20), bool), prompt[0], 0.5)


A, B, C = ((1, 2, 4, 5), ()), ((0, 0, 9, 9), ()), ((3, 3, 3, 3), ((3, 3),))


def keeper(model, pool, events=None):
    return MaskKeeper(model, pool, lambda name, content: None if events is None else events.append(name))


def test_each_box_is_computed_once_and_an_undone_step_not_again(pool):
    model, events = Model(), []
    kept = keeper(model, pool, events)
    for boxes in ((A,), (A, B), (A,), (A, B), (B, A, B)):
        kept.want(boxes)
        assert kept.wait(boxes, 10)
    assert model.asked == [A, B]
    assert events.count("masks") == 2
    assert kept.get(A).mask.shape == (4, 4)
    assert kept.get(A).window == (slice(2, 6), slice(1, 5))
    assert kept.get(C) is None


def test_a_box_that_is_no_longer_wanted_ends_at_the_next_step(pool):
    model = Model(slow=(A,))
    kept = keeper(model, pool)
    kept.want((A,))
    assert model.begun.wait(10)
    kept.want((B,))
    model.go.set()
    assert kept.wait((B,), 10)
    assert kept.get(A) is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (LiteMedSamError("too small"), "too small"),
        (MemoryError(), "not enough memory"),
        (RuntimeError("/tmp/secret"), r"failed \(RuntimeError\)"),
    ],
)
def test_an_error_is_one_object_s_and_is_tried_again_when_it_is_drawn_again(pool, bad, words):
    model = Model(bad=bad)
    kept = keeper(model, pool)
    kept.want((A, B))
    assert kept.wait((A, B), 10)
    with pytest.raises(LiteMedSamError, match=words):
        raise kept.get(A)
    assert isinstance(kept.get(B), ObjectMask)
    kept.want((B,))
    model.bad = None
    kept.want((A, B))
    assert kept.wait((A,), 10)
    assert isinstance(kept.get(A), ObjectMask)


def test_masks_of_undone_steps_are_dropped_beyond_a_budget(pool, monkeypatch):
    monkeypatch.setattr(masks, "_KEPT_BYTES", 110)
    model = Model()
    kept = keeper(model, pool)
    for boxes in ((A,), (B,), (C,)):
        kept.want(boxes)
        assert kept.wait(boxes, 10)
    kept.want((C,))
    assert kept.get(A) is None
    assert kept.get(B) is not None
