"""Imports point down: CONTRIBUTING's tables and picture hold for every file of the package."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import structure
from places import ROOT
from structure import (
    ENGINE,
    KINDS,
    LARGEST_REACH,
    LOADING,
    LONGEST_FILE,
    LONGEST_FUNCTION,
    MOST_FLOORS,
    MOST_ROOMS,
    PACKAGE,
    Package,
    between,
    engine_room,
    floors,
    house_room,
    mean_reach,
    reach,
    rings,
)

# What the tables do not allow and the code still does, as (importer, imported). To stay empty.
BREACHES: set[tuple[str, str]] = set()
# Too long, and why.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


@dataclass(frozen=True)
class Row:
    """What a table allows one room."""

    imports: frozenset[str]
    libraries: frozenset[str]


def names(cell: str) -> list[str]:
    return re.findall(r"`([\w.]+)`", cell)


def tables() -> list[dict[str, Row]]:
    """CONTRIBUTING's tables of imports: the house's, the engine's."""
    found: list[dict[str, Row]] = []
    inside = False
    for line in (ROOT / "CONTRIBUTING.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells[1:3] == ["may import", "libraries"]:
            found.append({})
            inside = True
        elif not cells:
            inside = False
        elif inside and names(cells[0]):
            row = Row(frozenset(names(cells[1])), frozenset(names(cells[2])))
            assert not found[-1].keys() & set(names(cells[0])), line
            found[-1].update(dict.fromkeys(names(cells[0]), row))
    return found


HOUSE, ROOMS = tables()
NOTHING = Row(frozenset(), frozenset())


@pytest.fixture(scope="module")
def package():
    return Package()


def allowed(module: str, row: Row, room) -> bool:
    """Whether a row names the room of a module, or the file itself as in `inference.prompt`."""
    return room(module) in row.imports or any(
        "." in name and f"{module}.".startswith(f"{ENGINE}.{name}.") for name in row.imports
    )


def breaches(package) -> Iterator[tuple[str, str]]:
    """The imports that no row allows."""
    for each in package.imports:
        here, there = each.importer, each.imported
        if there not in package.paths:
            if there in sys.stdlib_module_names:
                continue
            inside = house_room(here) == "engine"
            row = ROOMS.get(engine_room(here), NOTHING) if inside else HOUSE.get(house_room(here), NOTHING)
            if there not in row.libraries:
                yield here, there
        elif there == PACKAGE:
            # Its version alone; all else has a room.
            if each.name != "__version__":
                yield here, there
        elif house_room(here) != house_room(there):
            if not allowed(there, HOUSE.get(house_room(here), NOTHING), house_room):
                yield here, there
        elif engine_room(here) != engine_room(there) and engine_room(here) and engine_room(there):
            if not allowed(there, ROOMS.get(engine_room(here), NOTHING), engine_room):
                yield here, there
        elif here == ENGINE:
            # The map of the engine loads none of it.
            yield here, there


def test_every_room_has_a_row(package):
    house = {house_room(module) for module in package.paths}
    rooms = {room for module in package.paths if (room := engine_room(module))}
    assert house == HOUSE.keys()
    assert rooms == ROOMS.keys()


def test_imports_are_those_of_the_tables(package):
    found = set(breaches(package))
    assert found - BREACHES == set(), "imports that CONTRIBUTING's tables do not allow"
    assert BREACHES - found == set(), "no longer needed: take it from BREACHES"


def test_the_tables_let_imports_point_down_only():
    for table in (HOUSE, ROOMS):
        graph = {room: frozenset(name.split(".")[0] for name in row.imports) for room, row in table.items()}
        assert {name for imported in graph.values() for name in imported} <= graph.keys()
        assert rings(graph) == []
        assert max(floors(graph).values()) <= MOST_FLOORS
    assert len(ROOMS) <= MOST_ROOMS


def test_the_picture_shows_the_floors_of_the_table():
    graph = {room: frozenset(name.split(".")[0] for name in row.imports) for room, row in ROOMS.items()}
    drawn = {}
    for line in re.findall(r"^floor \d .*$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE):
        _, number, *rooms = re.findall(r"\w+", line)
        drawn.update(dict.fromkeys(rooms, int(number)))
    assert drawn == floors(graph)


def test_files_and_networks_never_meet(package):
    graph = package.graph(*KINDS)
    for start, other in (("io", "inference"), ("inference", "io")):
        for module in package.paths:
            if engine_room(module) == start:
                met = {name for name in reach(graph, module) if engine_room(name) == other}
                assert not met, module


def test_the_tables_keep_the_engine_light():
    using = {
        library: {room for room, row in ROOMS.items() if library in row.libraries}
        for library in ("torch", "onnx", "nncf", "scipy", "click", "tqdm")
    }
    assert using == {
        "torch": set(),
        "onnx": set(),
        "nncf": set(),
        "scipy": set(),
        "click": {"cli"},
        "tqdm": {"running"},
    }


def test_no_ring_few_rooms_few_floors(package):
    graph = package.graph(*KINDS)
    assert rings(graph) == []
    rooms = between(graph, engine_room)
    assert rings(rooms) == []
    assert len(rooms) <= MOST_ROOMS
    assert max(floors(rooms).values()) <= MOST_FLOORS


def test_a_file_of_the_engine_loads_few_others(package):
    assert mean_reach(package.graph(LOADING)) <= LARGEST_REACH


def test_files_and_functions_are_short(package):
    files = {str(path) for path, lines in package.lengths().items() if lines > LONGEST_FILE}
    functions = {f"{f.path} {f.name}" for f in package.functions() if f.lines > LONGEST_FUNCTION}
    assert files - LONG_FILES.keys() == set()
    assert functions - LONG_FUNCTIONS.keys() == set()
    assert LONG_FILES.keys() - files == set(), "short now: take it from LONG_FILES"
    assert LONG_FUNCTIONS.keys() - functions == set(), "short now: take it from LONG_FUNCTIONS"


def loaded(code: str) -> set[str]:
    """The libraries that a fresh interpreter has loaded after some code, beyond those that it starts with."""
    script = (
        f"import sys; before = set(sys.modules)\n{code}\n"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*(names - set(sys.stdlib_module_names) - {'litemedsam'}))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_nothing_heavy_is_loaded_at_the_start():
    assert loaded("import litemedsam") == set()
    assert loaded("import litemedsam.engine.cli.main") == {"click"}


def test_the_whole_engine_loads_neither_torch_nor_the_formats_libraries(package):
    modules = [module for module in package.paths if house_room(module) == "engine"]
    found = loaded("import " + ", ".join(modules))
    assert {"numpy", "cv2", "openvino", "onnxruntime", "click"} <= found
    late = {"torch", "onnx", "nncf", "nibabel", "pydicom", "highdicom", "PIL", "scipy", "tqdm"}
    assert not found & late


# How a room may try to get round the tables: each of these lines is an import that counts.
EVASIONS = {
    "import litemedsam.engine.io.npz": ("litemedsam.engine.io.npz", "", LOADING),
    "from ..io import npz": ("litemedsam.engine.io.npz", "", LOADING),
    "from ..io.npz import Npz": ("litemedsam.engine.io.npz", "Npz", LOADING),
    "def f():\n    from ..io.npz import Npz": ("litemedsam.engine.io.npz", "Npz", "late"),
    "class A:\n    def f(self):\n        import torch.nn": ("torch", "", "late"),
    "if TYPE_CHECKING:\n    from ..io.npz import Npz": ("litemedsam.engine.io.npz", "Npz", "typing"),
    "if TYPE_CHECKING:\n    pass\nelse:\n    import torch": ("torch", "", LOADING),
    "try:\n    import torch\nexcept ImportError:\n    pass": ("torch", "", LOADING),
    "needed('highdicom', 'dicom')": ("highdicom", "", "late"),
    "A = {'npz': ('litemedsam.engine.io.npz', 'Npz')}": ("litemedsam.engine.io.npz", "", "late"),
    "from ... import segment": ("litemedsam", "segment", LOADING),
}


@pytest.mark.parametrize("source", EVASIONS)
def test_every_manner_of_import_is_seen(package, source):
    found = {(i.imported, i.name, i.when) for i in package.imports_of("litemedsam.engine.inference.network", source)}
    assert EVASIONS[source] in found


def test_rings_floors_and_reach_of_a_graph():
    graph = {
        "a": frozenset("b"),
        "b": frozenset("c"),
        "c": frozenset("bd"),
        "d": frozenset(),
        "e": frozenset("e"),
        "f": frozenset("ad"),
    }
    assert rings(graph) == [("b", "c"), ("e",)]
    assert reach(graph, "f") == set("abcd")
    straight = {name: graph[name] - {"b", "e"} if name in "ce" else graph[name] for name in graph}
    assert floors(straight) == {"a": 4, "b": 3, "c": 2, "d": 1, "e": 1, "f": 5}


def test_the_script_prints_what_is_measured(package, capsys):
    structure.main()
    printed = capsys.readouterr().out
    rooms = between(package.graph(*KINDS), engine_room)
    assert f"rooms in engine/: {len(rooms)}, at most {MOST_ROOMS}" in printed
    assert f"mean reach of an engine file: {mean_reach(package.graph(LOADING)):.2f}" in printed
    assert "rings of files: none" in printed
    assert all(path in printed for path in LONG_FILES)
