"""The shape of the package: rooms, floors, rings, reach and lengths, read from the source without importing it.

    python tests/structure.py

A room of the engine is a folder or a file directly in `engine/`; `engine/__init__.py` is only its map. The floor of a
room is the length of the longest chain of imports that leads down from it. A ring is a set of files or rooms that
import each other. The reach of a file is the number of engine files that load with it.

`litemedsam/__init__.py` names `Predictor` and `segment` and imports them on first use. This door into the engine
belongs to no ring, because the rooms import only the version from it.
"""

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "litemedsam"
ENGINE = "litemedsam.engine"

MOST_ROOMS = 16
MOST_FLOORS = 8
LARGEST_REACH = 7.7
LONGEST_FILE = 350
LONGEST_FUNCTION = 60

# When an import is run: with the file, within a function, or never, for the type checker alone.
KINDS = LOADING, LATE, TYPING = "loading", "late", "typing"

Graph = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Import:
    """One import.

    Attributes
    ----------
    importer : str
        Full name of the importing module.
    imported : str
        Full name of a module of this package, or the first name of a library.
    name : str
        What is taken from it; empty where it is the module itself.
    when : str
        `LOADING`, `LATE` or `TYPING`.
    """

    importer: str
    imported: str
    name: str
    when: str


@dataclass(frozen=True)
class Function:
    """One function and its number of lines without the docstring."""

    path: Path
    line: int
    name: str
    lines: int


def _packages() -> dict[str, Path]:
    """The folders of setup.cfg by package."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    mapping = dict(line.split(" = ") for line in parser["options"]["package_dir"].strip().splitlines())
    folders = {}
    for name in parser["options"]["packages"].split():
        anchor = max((key for key in mapping if name == key or name.startswith(key + ".")), key=len)
        folders[name] = ROOT.joinpath(mapping[anchor], *name[len(anchor) :].strip(".").split("."))
    return folders


def _is_for_types(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _named_module(call: ast.Call) -> str | None:
    """The library in `import_module("name")` and `needed("name", "extra")`."""
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    first = call.args[0] if call.args else None
    if name in ("import_module", "needed") and isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return None


class Package:
    """The installed package's modules and the imports between them."""

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}
        for package, folder in _packages().items():
            for path in sorted(folder.glob("*.py")):
                self.paths[package if path.stem == "__init__" else f"{package}.{path.stem}"] = path
        self.trees = {module: ast.parse(path.read_text()) for module, path in self.paths.items()}

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import of every module."""
        return tuple(found for module, tree in self.trees.items() for found in self._distinct(module, tree))

    def imports_of(self, module: str, source: str) -> tuple[Import, ...]:
        """The imports that a module would make if this were its source."""
        return self._distinct(module, ast.parse(source))

    def _distinct(self, module: str, tree: ast.Module) -> tuple[Import, ...]:
        return tuple(dict.fromkeys(i for i in self._imports(module, tree, LOADING) if i.imported != module))

    def _imports(self, module: str, node: ast.AST, when: str) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and _is_for_types(child.test):
                yield from self._imports(module, ast.Module(child.body, []), TYPING)
                yield from self._imports(module, ast.Module(child.orelse, []), when)
                continue
            if isinstance(child, ast.Import):
                yield from (self._import(module, alias.name, when) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                start = self._start(module, child)
                yield from (self._import(module, f"{start}.{alias.name}", when) for alias in child.names)
            elif isinstance(child, ast.Call) and (named := _named_module(child)):
                yield self._import(module, named, LATE)
            elif isinstance(child, ast.Constant) and child.value in self.paths and child.value != PACKAGE:
                # A table of modules that are imported by name.
                yield self._import(module, child.value, LATE)
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from self._imports(module, child, LATE if later and when == LOADING else when)

    def _start(self, module: str, node: ast.ImportFrom) -> str:
        """The absolute name that ``from … import`` starts at."""
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        depth = len(parts) - node.level + (self.paths[module].stem == "__init__")
        return ".".join([*parts[:depth], *([node.module] if node.module else [])])

    def _import(self, importer: str, wanted: str, when: str) -> Import:
        """The import of an absolute name: of a module of this package, of something within one, or of a library."""
        if wanted.split(".")[0] != PACKAGE:
            return Import(importer, wanted.split(".")[0], "", when)
        module = wanted
        while module not in self.paths:
            module = module.rpartition(".")[0]
        return Import(importer, module, wanted[len(module) + 1 :], when)

    def graph(self, *kinds: str) -> Graph:
        """Which modules of this package each module imports, by imports of some kinds; the door imports none."""
        found: dict[str, set[str]] = {module: set() for module in self.paths}
        for each in self.imports:
            if each.when in kinds and each.imported in self.paths and each.importer != PACKAGE:
                found[each.importer].add(each.imported)
        return {module: frozenset(imported) for module, imported in found.items()}

    def libraries(self) -> Iterator[Import]:
        """The imports of other packages, those of Python's own library left out."""
        return (i for i in self.imports if i.imported not in self.paths and i.imported not in sys.stdlib_module_names)

    def functions(self) -> Iterator[Function]:
        """Every function and method."""
        for module, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    documented = ast.get_docstring(node, clean=False) is not None
                    text = _lines(node.body[0]) if documented else 0
                    lines = _lines(node) - text
                    yield Function(self.paths[module].relative_to(ROOT), node.lineno, node.name, lines)

    def lengths(self) -> dict[Path, int]:
        """The number of lines of every file, by its path in the project."""
        return {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in self.paths.values()}


def house_room(module: str) -> str:
    """The room of the whole package: `errors` for `litemedsam.errors`, `litemedsam` for the package itself."""
    return module.split(".")[1] if "." in module else module


def engine_room(module: str) -> str | None:
    """The room of the engine, `io` for `litemedsam.engine.io.npz`; None outside and for the map."""
    return module.split(".")[2] if module.startswith(ENGINE + ".") else None


def between(graph: Graph, room: Callable[[str], str | None]) -> Graph:
    """The imports between rooms."""
    rooms = sorted({name for module in graph if (name := room(module))})
    found: dict[str, set[str]] = {name: set() for name in rooms}
    for importer, imported in graph.items():
        for module in imported:
            here, there = room(importer), room(module)
            if here and there and here != there:
                found[here].add(there)
    return {name: frozenset(there) for name, there in found.items()}


def reach(graph: Graph, start: str) -> frozenset[str]:
    """Everything that a node leads to, itself only where it lies on a ring."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting += new
    return frozenset(seen)


def rings(graph: Graph) -> list[tuple[str, ...]]:
    """Sets of nodes each of which leads to every other."""
    reached = {node: reach(graph, node) for node in graph}
    found = {
        tuple(sorted(other for other in reached[node] if node in reached[other]))
        for node in graph
        if node in reached[node]
    }
    return sorted(found)


def floors(graph: Graph) -> dict[str, int]:
    """The floor of each node, from 1; nodes of a ring are counted as if the ring were cut."""
    found: dict[str, int] = {}

    def floor(node: str, below: frozenset[str]) -> int:
        if node not in found:
            under = (floor(other, below | {node}) for other in sorted(graph[node] - below - {node}))
            found[node] = 1 + max(under, default=0)
        return found[node]

    for node in sorted(graph):
        floor(node, frozenset())
    return found


def engine_files(graph: Graph) -> set[str]:
    """The engine's modules without its packages."""
    return {module for module in graph if engine_room(module) and not any(m.startswith(f"{module}.") for m in graph)}


def mean_reach(graph: Graph) -> float:
    """The mean over the engine's files; `__init__` files neither count nor are counted."""
    files = engine_files(graph)
    return mean(len((reach(graph, module) - {module}) & files) for module in files)


def _listed(lines: Iterable[str]) -> str:
    return "".join(f"\n  {line}" for line in lines) or " none"


def main() -> None:
    """Print all figures."""
    package = Package()
    loading, running, everything = (package.graph(*kinds) for kinds in ((LOADING,), (LOADING, LATE), KINDS))
    rooms = between(everything, engine_room)
    by_floor = floors(rooms)
    print(f"rooms in engine/: {len(rooms)}, at most {MOST_ROOMS}")
    print(f"floors: {max(by_floor.values())}, at most {MOST_FLOORS}")
    for name in sorted(rooms, key=lambda name: (-by_floor[name], name)):
        print(f"  {by_floor[name]} {name:10} → {', '.join(sorted(rooms[name])) or 'no room'}")
    print(f"rings of rooms:{_listed(' → '.join(ring) for ring in rings(rooms))}")
    print(f"rings of files:{_listed(' → '.join(ring) for ring in rings(everything))}")
    print(f"mean reach of an engine file: {mean_reach(loading):.2f}, at most {LARGEST_REACH}")
    share = 100 * mean_reach(loading) / len(engine_files(loading))
    print(f"  {share:.0f} % of its {len(engine_files(loading))} files")
    print(f"  with imports within functions: {mean_reach(running):.2f}")
    for kind in KINDS:
        number = sum(i.when == kind and i.imported in package.paths for i in package.imports)
        print(f"imports between files, {kind}: {number}")
    long = sorted(((lines, path) for path, lines in package.lengths().items() if lines > LONGEST_FILE), reverse=True)
    print(f"files of more than {LONGEST_FILE} lines:{_listed(f'{lines} {path}' for lines, path in long)}")
    slow = sorted((f.lines, f"{f.path}:{f.line} {f.name}") for f in package.functions() if f.lines > LONGEST_FUNCTION)
    listed = _listed(f"{lines} {name}" for lines, name in reversed(slow))
    print(f"functions of more than {LONGEST_FUNCTION} lines, docstring not counted:{listed}")


if __name__ == "__main__":
    main()
