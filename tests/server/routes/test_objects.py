"""Objects by the API: every answer is the session's state."""

from http import HTTPStatus

import pytest
from server_client import IMAGE_BOX


@pytest.fixture
def at(client):
    """The client and the path of an open image."""
    return client, f"/api/sessions/{client.opened('slice.png')['id']}"


def test_an_object_is_added_changed_and_removed(at):
    client, path = at
    added = client.post(f"{path}/objects", json={"box": IMAGE_BOX, "name": "liver"})
    assert added.status_code == HTTPStatus.CREATED
    key, (drawn,) = added.json()["key"], added.json()["objects"]
    assert (drawn["key"], drawn["number"], drawn["name"], drawn["box"]) == (key, 1, "liver", IMAGE_BOX)
    change = {"box": [1, 2, 20, 21], "points": [[5, 6]], "colour": "#102030", "visible": False}
    (changed,) = client.patch(f"{path}/objects/{key}", json=change).json()["objects"]
    assert {name: changed[name] for name in change} == change
    assert changed["name"] == "liver"
    gone = client.delete(f"{path}/objects/{key}").json()
    assert (gone["objects"], gone["undo"], gone["redo"]) == ([], 3, 0)


def test_states_of_one_session_have_rising_numbers(at):
    client, path = at
    states = [client.post(f"{path}/objects", json={"box": IMAGE_BOX}).json()]
    states += [client.post(f"{path}/{way}", json={}).json() for way in ("undo", "redo")]
    assert [state["serial"] for state in states] == sorted({state["serial"] for state in states})
    assert [len(state["objects"]) for state in states] == [1, 0, 1]
    assert client.post(f"{path}/redo", json={}).status_code == HTTPStatus.CONFLICT


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"points": [[1, 1]] * 5}, HTTPStatus.BAD_REQUEST),
        ({"points": [[48, 1]]}, HTTPStatus.BAD_REQUEST),
        ({"colour": "red"}, HTTPStatus.BAD_REQUEST),
        ({"visible": 1}, HTTPStatus.BAD_REQUEST),
        ({"number": 2}, HTTPStatus.BAD_REQUEST),
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(at, change, status):
    client, path = at
    key = client.post(f"{path}/objects", json={"box": IMAGE_BOX}).json()["key"]
    before = client.get(f"{path}/state").json()
    assert client.patch(f"{path}/objects/{key}", json=change).status_code == status
    after = client.get(f"{path}/state").json()
    assert (after["version"], after["objects"][0]["colour"]) == (before["version"], before["objects"][0]["colour"])
