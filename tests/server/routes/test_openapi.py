"""The OpenAPI document names every route under /api/ with its methods, parameters and keys, and no other."""

import re

import pytest
from litemedsam.server.app import ROUTES
from litemedsam.server.routes.about import description
from server_client import IMAGE_BOX

DOCUMENT = description()


def test_the_document_describes_the_routes_and_no_others():
    served = {(route.path, method) for route in ROUTES for method in route.methods - {"HEAD"}}
    described = {(path, method.upper()) for path, ways in DOCUMENT["paths"].items() for method in ways}
    assert described == {(path, method) for path, method in served if path.startswith("/api/")}


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_every_part_of_a_path_is_a_parameter(path):
    for way in DOCUMENT["paths"][path].values():
        named = {each["name"] for each in way.get("parameters", ()) if each["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert {"default", *map(str, range(200, 205))} >= set(way["responses"])


def resolved(schema):
    reference = schema.get("$ref")
    return DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema


def conforms(value, schema, where="answer"):
    """A small part of JSON Schema: types, required keys, no others where they are excluded."""
    schema = resolved(schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    python = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)}
    python["boolean"] = bool
    assert not kinds or any(isinstance(value, python[kind]) for kind in kinds), where
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys(), where
        if schema.get("additionalProperties") is False:
            assert value.keys() <= schema["properties"].keys(), where
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                conforms(value[key], inner, f"{where}.{key}")
    if isinstance(value, list):
        for inner in value:
            conforms(inner, schema.get("items", {}), f"{where}[]")


def test_answers_have_the_described_form(client):
    session = client.opened("scan.nii.gz")["id"]
    client.drawn(session, [9, 13, 1, 29, 30, 3])
    one = f"/api/sessions/{session}"
    calls = [
        ("get", "/api/openapi.json", None),
        ("get", "/api/about", None),
        ("get", "/api/files", None),
        ("get", "/api/sessions", None),
        ("post", "/api/uploads", {}),
        ("get", one, None),
        ("get", f"{one}/state", None),
        ("get", f"{one}/voxel?x=1&y=2&z=3", None),
        ("patch", f"{one}/objects/1", {"name": "a"}),
        ("post", f"{one}/undo", {}),
        ("post", f"{one}/redo", {}),
        ("delete", f"{one}/objects/1", None),
    ]
    for method, path, body in calls:
        answer = client.request(method, path, **({} if body is None else {"json": body}))
        known = path.partition("?")[0].replace(session, "{session}").replace("objects/1", "objects/{key}")
        described = DOCUMENT["paths"][known][method]["responses"][str(answer.status_code)]
        conforms(answer.json(), described["content"]["application/json"]["schema"], path)
    begun = client.post(f"{one}/foresee", json={"slice": 2})
    assert str(begun.status_code) in DOCUMENT["paths"]["/api/sessions/{session}/foresee"]["post"]["responses"]
    refused = client.post(f"{one}/objects", json={"box": IMAGE_BOX})
    conforms(refused.json(), {"$ref": "#/components/schemas/Error"})
