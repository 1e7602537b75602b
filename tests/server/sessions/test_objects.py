"""Every step can be undone and redone, and a history stays finite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litemedsam.server.sessions.objects import MOST_OBJECTS, MOST_STEPS, History, changed, checked_name

from litemedsam import LiteMedSamError

STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "name", "undo", "redo"]), st.integers(0, 9)), max_size=40)


@given(STEPS)
def test_undo_and_redo_are_exact_whatever_the_steps(steps):
    """Compared with a plain list of all states and a place in it."""
    history, states, at = History(), [()], 0
    for what, number in steps:
        keys = [each.key for each in history.objects]
        if what == "undo":
            assert history.undo() == (at > 0)
            at = max(at - 1, 0)
        elif what == "redo":
            assert history.redo() == (at < len(states) - 1)
            at = min(at + 1, len(states) - 1)
        elif what == "add" or not keys:
            history.add((number, number, number, number))
            states, at = [*states[: at + 1], history.objects], at + 1
        else:
            key, before = keys[number % len(keys)], history.objects
            if what == "remove":
                history.remove(key)
            else:
                history.change(key, lambda drawn, number=number: changed(drawn, name=f"name {number}"))
            if history.objects != before:
                states, at = [*states[: at + 1], history.objects], at + 1
        assert history.objects == states[at]
        assert (history.undoable, history.redoable) == (at, len(states) - 1 - at)


def test_the_oldest_steps_are_forgotten():
    history = History()
    key = history.add((0, 0, 1, 1)).key
    for number in range(MOST_STEPS + 50):
        history.change(key, lambda drawn, number=number: changed(drawn, box=(0, 0, 1, number)))
    assert history.undoable == MOST_STEPS >= 50
    while history.undo():
        pass
    assert history.objects[0].box == (0, 0, 1, 49)


def test_keys_and_colours_are_never_used_again():
    history = History()
    first = history.add((0, 0, 1, 1))
    history.remove(first.key)
    second = history.add((0, 0, 1, 1))
    assert (first.key, second.key) == (1, 2)
    assert first.colour != second.colour


def test_there_may_be_many_objects_but_not_any_number():
    history = History()
    for _ in range(MOST_OBJECTS):
        history.add((0, 0, 1, 1))
    with pytest.raises(LiteMedSamError, match="at most"):
        history.add((0, 0, 1, 1))


def test_unknown_objects_and_values_are_refused():
    history = History()
    with pytest.raises(LiteMedSamError, match="expected one of: none"):
        history.find(1)
    drawn = history.add((0, 0, 1, 1))
    for values in ({"colour": "red"}, {"colour": "#12345g"}, {"colour": 5}, {"visible": 1}, {"name": 5}):
        with pytest.raises(LiteMedSamError, match="expected"):
            changed(drawn, **values)
    assert changed(drawn, colour="#FF8000", visible=False).colour == "#FF8000"
    assert checked_name("  left\n\x00lung\u2028 ") == "left lung"
