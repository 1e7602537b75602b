"""Leases: one image and one object for each client, within limits of number, memory and time."""

import time

import numpy as np
import pytest
from litemedsam.server.protocols.nninteractive import leases as module
from litemedsam.server.protocols.nninteractive.interactions import DrawnBox, DrawnScribble, SetPoint
from litemedsam.server.protocols.nninteractive.leases import Leases
from litemedsam.server.refusal import FULL, GONE, Refusal, status_of

from litemedsam import LiteMedSamError, Predictor

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 7, 40, 48), np.uint8)
BOX = DrawnBox((1, 8, 10), (5, 29, 39))


@pytest.fixture(scope="module")
def predictor(correctable_bundle):
    with Predictor(correctable_bundle, threads=1) as made:
        yield made


@pytest.fixture
def leases(predictor):
    made = Leases(lambda: predictor, 2, 100 * IMAGE.nbytes)
    yield made
    made.close()


@pytest.fixture
def lease(leases):
    claimed = leases.claim()
    claimed.set_image(IMAGE)
    claimed.set_buffer([7, 40, 48], "uint16")
    return claimed


def test_a_change_covers_what_was_and_what_is(lease):
    first = lease.interact(BOX, True)
    assert first.values.dtype == np.uint16
    assert first.values.shape == tuple(high - low for low, high in first.box)
    present = np.zeros(IMAGE.shape[1:], np.uint16)
    present[tuple(slice(*ends) for ends in first.box)] = first.values
    place = tuple(int(k) for k in np.argwhere(present)[9])
    second = lease.interact(SetPoint(place, False), True)
    present[tuple(slice(*ends) for ends in second.box)] = second.values
    assert present[place] == 0
    undone, change = lease.undo()
    assert undone
    present[tuple(slice(*ends) for ends in change.box)] = change.values
    assert present[place] == 1
    assert lease.undo()[1].values.any() == False  # noqa: E712 - an array's answer
    assert lease.undo() == (False, None)


def test_what_fails_leaves_the_object_as_it_was(lease):
    lease.interact(BOX, True)
    with pytest.raises(LiteMedSamError, match="leaves out"):
        lease.interact(SetPoint((6, 20, 20), True), True)
    assert lease.undo()[0]
    assert not lease.undo()[0]


def test_calls_before_an_image_are_refused(leases):
    claimed = leases.claim()
    for call in (lambda: claimed.shape(), lambda: claimed.set_buffer([7, 40, 48], "uint8")):
        with pytest.raises(LiteMedSamError, match="there is no image yet; set the image first"):
            call()


def test_limits_of_number_and_memory(leases, lease):
    assert leases.room(lease) == leases.most_bytes
    other = leases.claim()
    assert leases.room(other) == leases.most_bytes - 4 * IMAGE.nbytes
    with pytest.raises(Refusal, match="2 clients are connected, expected at most 2") as full:
        leases.claim()
    assert status_of(full.value) == FULL
    leases.release(lease.key)
    assert leases.room(other) == leases.most_bytes
    leases.claim()


@pytest.mark.parametrize(("seconds", "ended"), [(59, False), (61, True)])
def test_a_lease_without_a_heartbeat_ends(leases, lease, monkeypatch, seconds, ended):
    later = time.monotonic() + seconds
    monkeypatch.setattr(module, "monotonic", lambda: later)
    leases.tidy()
    if not ended:
        assert leases.get(lease.key) is lease
        return
    with pytest.raises(Refusal, match="this lease is unknown or has ended") as gone:
        leases.get(lease.key)
    assert status_of(gone.value) == GONE


def test_a_lease_that_only_beats_ends_after_ten_minutes(leases, lease, monkeypatch):
    start = time.monotonic()
    for minutes in range(1, 10):
        monkeypatch.setattr(module, "monotonic", lambda minutes=minutes: start + 59 * minutes)
        leases.tidy()
        leases.get(lease.key, working=False)
    monkeypatch.setattr(module, "monotonic", lambda: start + 620)
    leases.tidy()
    with pytest.raises(Refusal):
        leases.get(lease.key)


def scribble(z):
    mask = np.zeros((1, 40, 48), bool)
    mask[0, 18:24, 20:30] = True
    return DrawnScribble((z, 0, 0), mask, True)


def test_remedies_were_tried(leases, lease):
    """What a message says to do is what works next."""
    for early in (SetPoint((2, 20, 20), True), scribble(2)):
        with pytest.raises(LiteMedSamError, match="draw a box around the object first"):
            lease.interact(early, True)
    lease.interact(BOX, True)
    lease.interact(SetPoint((2, 20, 20), True), True)
    with pytest.raises(LiteMedSamError, match="the scribble lies on no slice of the object's box; draw it on "):
        lease.interact(scribble(6), True)
    assert lease.interact(scribble(2), True)
    with pytest.raises(LiteMedSamError, match="send one channel"):
        lease.set_image(np.concatenate([IMAGE, IMAGE]))
    lease.set_image(IMAGE)
    with pytest.raises(LiteMedSamError, match="expected one of: "):
        lease.set_buffer([7, 40, 48], "complex64")
    lease.set_buffer([7, 40, 48], "uint8")
    assert lease.interact(BOX, True).values.dtype == np.uint8
    leases.release(lease.key)
    with pytest.raises(Refusal, match="connect again"):
        leases.get(lease.key)
    again = leases.claim()
    with pytest.raises(LiteMedSamError, match="set the image first"):
        again.set_buffer([7, 40, 48], "uint8")
    again.set_image(IMAGE)
    again.set_buffer([7, 40, 48], "uint8")
    assert again.interact(BOX, True).values.any()
