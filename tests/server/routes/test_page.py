"""The page's own files, and nothing else of the package."""

import re
from http import HTTPStatus
from importlib.resources import files

import pytest

PAGE = files("litemedsam.server").joinpath("page")


def test_the_page_names_only_files_that_are_served(module_client):
    page = module_client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="/?(page/[^"]+)"', page.text)
    assert len(named) >= 2
    for path in named:
        assert module_client.get(f"/{path}").status_code == HTTPStatus.OK, path


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".css", "text/css"), (".js", "text/javascript"), (".svg", "image/svg+xml")]
)
def test_every_file_has_its_type_and_its_bytes(module_client, suffix, kind):
    entries = [entry for entry in PAGE.iterdir() if entry.name.endswith(suffix)]
    assert entries
    for entry in entries:
        answer = module_client.get(f"/page/{entry.name}")
        assert answer.headers["content-type"].startswith(kind)
        assert answer.content == entry.read_bytes()


@pytest.mark.parametrize("name", ["absent.js", "__init__.py", "..", "page"])
def test_other_names_are_not_found(module_client, name):
    assert module_client.get(f"/page/{name}").status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.OK)
    assert module_client.get(f"/page/x{name}").status_code == HTTPStatus.NOT_FOUND
