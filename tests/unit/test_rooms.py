"""How the house is built: imports run one way, a class name has one owner, nothing is too large to be read."""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("api", "worker", "training", "notifier", "storage", "contract", "encoders", "client")
SHARED = tuple(package for package in SERVICES if package != "client")
"""The client imports none of these, and names the documents of the service as the service does."""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def sources(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package by its dotted name."""
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), parsed(path)


def imports(package: str) -> dict[str, set[str]]:
    """The modules of the same package that each module imports, type-checking imports included."""
    modules = dict(sources(package))
    return {name: set(imported(tree, modules.keys())) - {name} for name, tree in modules.items()}


def imported(tree: ast.Module, modules: Iterable[str]) -> Iterator[str]:
    known = set(modules)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from [inner] if inner in known else [node.module] if node.module in known else []


def room(module: str) -> str:
    """The folder that a module lies in; a module at the top of its package is a room of its own."""
    package, _, rest = module.partition(".")
    return f"{package}.{rest.partition('.')[0]}" if rest else package


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The names along one circle of the graph; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}
    assert circle({"a": {"b"}, "b": {"c"}, "d": {"a"}}) == []


@pytest.mark.parametrize("package", SERVICES)
def test_no_module_imports_itself_by_a_detour(package: str) -> None:
    assert circle(imports(package)) == []


@pytest.mark.parametrize("package", SERVICES)
def test_no_import_runs_back_up_from_one_room_to_another(package: str) -> None:
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, others in imports(package).items():
        rooms[room(module)] |= {room(other) for other in others} - {room(module)}

    assert circle(rooms) == []


def test_a_class_name_has_one_owner() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for package in SHARED:
        for module, tree in sources(package):
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    owners[node.name].add(module)

    assert {name: modules for name, modules in owners.items() if len(modules) > 1} == {}


MOST_POSITIONAL = 3
"""Arguments of a constructor that a caller may give by their place."""


def by_place(node: ast.ClassDef) -> int:
    """Arguments that the constructor of the class takes by their place. A tuple has places for a reason."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return len(statement.args.posonlyargs) + len(statement.args.args) - 1
    dataclass = [text for text in map(ast.unparse, node.decorator_list) if text.startswith("dataclass")]
    if not dataclass or "kw_only=True" in dataclass[0]:
        return 0
    fields = [statement for statement in node.body if isinstance(statement, ast.AnnAssign)]
    return sum("ClassVar" not in ast.unparse(field.annotation) for field in fields)


def test_arguments_by_place_are_counted() -> None:
    source = """
@dataclass(frozen=True)
class Fields:
    constant: ClassVar[int] = 1
    first: int
    second: int

@dataclass(kw_only=True)
class Named:
    first: int

class Written:
    def __init__(self, first, second, third=3, *, named): ...
"""
    assert [by_place(node) for node in ast.parse(source).body if isinstance(node, ast.ClassDef)] == [2, 0, 3]


def test_a_constructor_of_four_arguments_takes_them_by_name() -> None:
    by_class = {
        f"{module}.{node.name}": by_place(node)
        for package in SERVICES
        for module, tree in sources(package)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }

    assert {name: count for name, count in by_class.items() if count > MOST_POSITIONAL} == {}


MOST_LINES, MOST_OF_A_FUNCTION = 300, 50


def python_files() -> list[Path]:
    listed = subprocess.check_output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    files = [ROOT / name for name in listed.decode().split("\0") if name.endswith(".py")]
    return [file for file in files if file.is_file()]


def functions(tree: ast.Module) -> dict[str, int]:
    """The lines of each function, by its name."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: node.end_lineno - node.lineno + 1 for node in ast.walk(tree) if isinstance(node, kinds)}  # type: ignore[operator]


def test_no_module_and_no_function_is_too_long_to_be_read_at_once() -> None:
    long = {}
    for file in python_files():
        text, name = file.read_text(encoding="utf-8"), str(file.relative_to(ROOT))
        if (lines := text.count("\n")) > MOST_LINES:
            long[name] = lines
        long |= {
            f"{name} {function}": lines
            for function, lines in functions(parsed(file)).items()
            if lines > MOST_OF_A_FUNCTION
        }

    assert long == {}


def test_every_file_of_tests_has_one() -> None:
    files = [file for file in python_files() if file.name.startswith("test_")]
    empty = [file for file in files if not any(name.startswith("test_") for name in functions(parsed(file)))]

    assert empty == []
