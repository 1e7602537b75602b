"""Sessions are limited in number, memory and idle time, and ended ones are told from those that never were."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest
from litemedsam.server.refusal import FULL, GONE, NOT_FOUND, Refusal
from litemedsam.server.sessions.open_scan import Reading
from litemedsam.server.sessions.store import SessionStore

from litemedsam import LiteMedSamError, Predictor


def test_sessions_are_limited_in_number_memory_and_idle_time(serve):
    client = serve(max_sessions=1)
    first = client.opened("slice.png")["id"]
    full = client.post("/api/sessions", json={"file": client.file_id("slice.png")})
    assert full.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    client.delete(f"/api/sessions/{first}")
    client.opened("slice.png")
    small = serve(memory=1000)
    answer = small.post("/api/sessions", json={"file": small.file_id("slice.png")})
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "MB" in answer.json()["error"]["text"]
    idle = serve(idle_seconds=0.0)
    session = idle.opened("slice.png")["id"]
    idle.services.tidy()
    assert idle.get(f"/api/sessions/{session}").status_code == HTTPStatus.GONE


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with Predictor(tiny_bundle, "onnxruntime", threads=1) as made:
        yield made


@pytest.fixture
def store(predictor):
    """A function (limits) to a store."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda most=2, most_bytes=10**9, idle=3600.0: SessionStore(
            lambda: predictor, pool, most, most_bytes, idle
        )


def test_keys_say_whether_a_session_has_ended(store, scans):
    sessions = store()
    opened = sessions.open(scans / "slice.png", "slice.png", Reading())
    assert sessions.get(opened.key) is opened
    sessions.close(opened.key)
    for key, status in ((opened.key, GONE), ("never", NOT_FOUND)):
        with pytest.raises(Refusal) as error:
            sessions.get(key)
        assert error.value.status == status


def test_what_cannot_be_opened_takes_no_place_and_is_cleaned_up(store, scans):
    sessions, cleaned = store(most=1), []
    for _ in range(3):
        with pytest.raises(LiteMedSamError, match=r"^boxes: "):
            sessions.open(scans / "boxes.json", "boxes", Reading(), lambda: cleaned.append(1))
    kept = sessions.open(scans / "slice.png", "a", Reading(), lambda: cleaned.append(2))
    with pytest.raises(Refusal, match="1 scans are open, expected at most 1") as error:
        sessions.open(scans / "slice.png", "b", Reading(), lambda: cleaned.append(3))
    assert error.value.status == FULL
    assert cleaned == [1, 1, 1, 3]
    sessions.close(kept.key)
    assert cleaned[-1] == 2


def test_memory_is_that_of_all_open_scans(store, scans):
    one = 2 * 40 * 48
    sessions = store(most_bytes=2 * one - 1)
    sessions.open(scans / "slice.png", "a", Reading())
    with pytest.raises(Refusal, match="b: needs 0 MB, expected at most the 0 MB that open scans leave"):
        sessions.open(scans / "slice.png", "b", Reading())
    assert len(sessions.all()) == 1


def test_only_sessions_that_nobody_listens_to_are_idle(store, scans):
    sessions = store(idle=0.0)
    watched = sessions.open(scans / "slice.png", "a", Reading())

    async def watch():
        listening = asyncio.ensure_future(anext(watched.listeners.listen()))
        await asyncio.sleep(0)
        ended = sessions.end_idle(), sessions.all()
        listening.cancel()
        return ended

    assert asyncio.run(watch()) == (0, [watched])
    assert sessions.end_idle() == 1
    sessions.open(scans / "slice.png", "b", Reading())
    sessions.close_all()
    assert sessions.all() == []
