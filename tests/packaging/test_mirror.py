"""Every source file has a test of its own under the same path."""

import pytest
from places import ROOT

# Folders of sources, and their tests below `tests/`.
ROOMS = {
    "engine": "engine",
    "evaluation": "evaluation",
    "export": "export",
    "models": "models",
    "server": "server",
    "training": "training",
    "src/litemedsam": "package",
}
# Files without a test of their own, and why.
WITHOUT = {
    "models/interface.py": "protocols alone, which the type checker compares the networks with",
    "training/samples.py": "one value of two arrays",
}


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_has_a_test_under_the_same_path(room):
    sources, tests = ROOT / room, ROOT / "tests" / ROOMS[room]
    lacking = set()
    for path in sources.rglob("*.py"):
        if path.name == "__init__.py":
            continue
        # `__main__.py` has `test_main.py`.
        test = tests / path.relative_to(sources).parent / f"test_{path.stem.strip('_')}.py"
        if not test.is_file():
            lacking.add(path.relative_to(ROOT).as_posix())
    assert lacking == {name for name in WITHOUT if name.startswith(f"{room}/")}
