"""Mutation testing: the share of small changes in the code that the tests notice.

    python tests/mutation.py                     # all rooms below; minutes
    python tests/mutation.py engine/inference/prompt.py   # one module
    python tests/mutation.py --part 2/4          # every fourth mutant, from the second on

Each mutant is one change of one operator, number, comparison, condition or call. It is run in a process forked from
one that has the libraries loaded, against the quick tests of its module. Survivors are marked ALIVE; docs/testing.md
says of each why it may live. (The usual tools copy the source tree; the packages of this one lie outside a common
root.)
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.util
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# For each module the quick tests that a change of it has to meet, within tests/engine/inference.
TESTS = {
    "engine/inference/automatic_prompts.py": ["test_automatic_prompts.py"],
    "engine/inference/prompt.py": ["test_prompt.py"],
    "engine/inference/corrections.py": ["test_corrections.py"],
    "engine/inference/correction_logits.py": ["test_correction_logits.py"],
    "engine/inference/range_search.py": ["test_range_search.py"],
    "engine/inference/frame.py": ["test_frame.py", "test_region.py"],
    "engine/inference/region.py": ["test_region.py", "test_protocols.py", "test_propagation.py"],
    "engine/inference/protocols.py": ["test_protocols.py", "test_propagation.py"],
    "engine/inference/propagation.py": ["test_protocols.py", "test_propagation.py"],
}
SECONDS = 120

_SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_NAMES = {
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
    "floor": "ceil",
    "ceil": "floor",
    "trunc": "ceil",
    "rint": "floor",
    "any": "all",
    "all": "any",
    "cos": "sin",
    "sin": "cos",
    "zeros": "ones",
}


@dataclass(frozen=True)
class Mutant:
    """One change.

    Attributes
    ----------
    line : int
    change : str
        What was and what is.
    source : str
        The whole module.
    """

    line: int
    change: str
    source: str


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _with(node: ast.AST, field: str, value: object) -> ast.AST:
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes to put in a node's place."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in _SWAPS:
        yield _with(node, "op", _SWAPS[type(node.op)]())
    elif isinstance(node, ast.Compare):
        for k, operator in enumerate(node.ops):
            ops = [*node.ops[:k], _SWAPS[type(operator)](), *node.ops[k + 1 :]]
            yield _with(node, "ops", ops)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int | float):
            yield ast.Constant(node.value + 1)
            if node.value:
                yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.Attribute | ast.Name):
        name = node.attr if isinstance(node, ast.Attribute) else node.id
        if name in _NAMES and isinstance(node.ctx, ast.Load):
            yield _with(node, "attr" if isinstance(node, ast.Attribute) else "id", _NAMES[name])
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield _with(node, "test", ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Break | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield ast.Pass()


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Parents, fields and positions of all nodes but texts that stand alone."""
    for parent in ast.walk(tree):
        if isinstance(parent, ast.JoinedStr):
            continue
        for field, value in ast.iter_fields(parent):
            for k, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.AST) and not (isinstance(child, ast.stmt) and _is_text(child)):
                    yield parent, field, k


def _is_seen(node: ast.stmt) -> bool:
    """Whether a test could see a change: not in bodies of protocols, nor in imports for the type checker."""
    if isinstance(node, ast.If):
        return getattr(node.test, "id", "") != "TYPE_CHECKING"
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return not any(getattr(base, "id", "") in ("Protocol", "Interface") for base in bases)


def _without_interfaces(tree: ast.Module) -> ast.Module:
    """Bodies of protocols and error messages do nothing that a test could see."""
    tree.body = [node for node in tree.body if _is_seen(node)]
    return tree


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a module."""
    tree = ast.parse(source)
    running = {id(node) for node in ast.walk(_without_interfaces(copy.copy(tree)))}
    silent = [node for node in ast.walk(tree) if isinstance(node, ast.Raise | ast.arg)]
    for node in ast.walk(tree):
        silent += getattr(node, "decorator_list", [])
        silent += filter(None, (getattr(node, "annotation", None), getattr(node, "returns", None)))
    unseen = {id(below) for node in silent for below in ast.walk(node)}
    for parent, field, k in list(_places(tree)):
        container = getattr(parent, field)
        node = container if k is None else container[k]
        if id(node) not in running or id(node) in unseen:
            continue
        for changed in _changes(node):
            changed = ast.fix_missing_locations(ast.copy_location(changed, node))
            if k is None:
                setattr(parent, field, changed)
            else:
                container[k] = changed
            text = f"{ast.unparse(node).splitlines()[0]}  →  {ast.unparse(changed).splitlines()[0]}"
            yield Mutant(getattr(node, "lineno", 0), text, ast.unparse(tree))
            if k is None:
                setattr(parent, field, node)
            else:
                container[k] = node


class _Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from other source."""

    def __init__(self, name: str, path: Path, source: str):
        self.name, self.path, self.source = name, path, source

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


def _run(module: str, source: str, tests: list[str]) -> bool:
    """Whether the tests notice."""
    child = os.fork()
    if child == 0:
        import pytest

        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        name = "litemedsam." + module.removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, _Replaced(name, ROOT / module, source))
        paths = [str(ROOT / "tests" / "engine" / "inference" / test) for test in tests]
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--no-header", *paths])
        os._exit(0 if code == 0 else 1)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("modules", nargs="*", default=list(TESTS))
    arguments.add_argument("--part", default="1/1", help="which share of each module's mutants, as in 2/3")
    given = arguments.parse_args()
    modules, (part, parts) = given.modules, map(int, given.part.split("/"))
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = tempfile.mkdtemp()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    os.chdir(ROOT)
    # Loaded once; nothing of this project, so that every child imports its own.
    import cv2  # noqa: F401
    import hypothesis  # noqa: F401
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import pytest  # noqa: F401
    import torch  # noqa: F401

    killed = total = 0
    for module in modules:
        source = (ROOT / module).read_text()
        if part == 1 and _run(module, ast.unparse(ast.parse(source)), TESTS[module]):
            print(f"{module}: its tests fail without any change", flush=True)
            return 1
        survivors = []
        count = 0
        for mutant in islice(mutants(source), part - 1, None, parts):
            count += 1
            noticed = _run(module, mutant.source, TESTS[module])
            if not noticed:
                survivors.append(mutant)
            print(f"{'killed' if noticed else 'ALIVE '} {module}:{mutant.line}: {mutant.change}", flush=True)
        print(f"{module}: {count - len(survivors)} of {count} killed", flush=True)
        killed, total = killed + count - len(survivors), total + count
    print(f"{killed} of {total} killed, {100 * killed / total:.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
