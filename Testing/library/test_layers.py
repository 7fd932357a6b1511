"""The order of the packages: nothing imports upwards, nothing imports in a circle, heavy packages only where named.

Imports inside functions count as well; imports for type checking alone do not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import SpineMeasureLib

ROOT = Path(SpineMeasureLib.__file__).parent
#: From low to high. A module may import its own row and the rows above it in this list. A package stands for all of its
#: modules except those that have a row themselves; the version (`SpineMeasureLib/__init__.py`) is free to all.
LAYERS = """
    errors cancel progress files quiet resources threads needs processes child
    anatomy
    orientation volume grid background
    certainty segmentation field_of_view
    io
    segment
    measure
    phantom export
    case_folder
    review.case
    review.mrml
    review
    pipeline
    evaluate
    train
    web
    __main__
    terminal
    cli_help
    cli_options cli_tables
    cli_dicom cli_export cli_train
    cli
"""
#: Packages that never import others, whatever the order says: (package, what it does not import).
FORBIDDEN = {
    "segment": "slicer vtk vtkmodules qt ctk",
    "measure": "slicer vtk vtkmodules qt ctk torch monai",
    "export": "slicer vtk vtkmodules qt ctk torch monai",
    "train": "slicer vtk vtkmodules qt ctk",
    "evaluate": "slicer vtk vtkmodules qt ctk",
    "io": "slicer vtk vtkmodules qt ctk torch monai",
    "review": "qt ctk torch monai",
    "web": "qt ctk torch monai SpineMeasureLib.evaluate SpineMeasureLib.train",
}
#: The only modules and packages that import torch. Slicer's process imports none of them.
WITH_TORCH = """
    segment.inference segment.network segment.device
    evaluate.overlap evaluate.model_scores
    train
"""
NAME = SpineMeasureLib.__name__
Sources = dict[str, str]


def sources() -> Sources:
    """Text of every module by its dotted name; a package has the name of its folder."""
    return {_name(path): path.read_text("utf-8") for path in ROOT.rglob("*.py") if "_data" not in path.parts}


def _name(path: Path) -> str:
    parts = (NAME, *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def statements(text: str) -> list[ast.Import | ast.ImportFrom]:
    """The import statements of a module, without those for type checking alone."""

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.Import, ast.ImportFrom)):
                found.append(child)
            elif isinstance(child, ast.stmt | ast.ExceptHandler) and not _is_for_type_checking(child):
                visit(child)

    found: list[ast.Import | ast.ImportFrom] = []
    visit(ast.parse(text))
    return found


def _is_for_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def imports(module: str, modules: Sources) -> Iterator[tuple[str, int]]:
    """Every module or other package that a module imports, and the line."""
    is_package = any(other.startswith(f"{module}.") for other in modules)
    for node in statements(modules[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
            continue
        base = node.module or ""
        if node.level:
            parts = module.split(".")
            parts = parts[: len(parts) - node.level + is_package]
            base = ".".join([*parts, base] if base else parts)
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield (inner if inner in modules else base), node.lineno


def covers(package: str, module: str) -> bool:
    return module == f"{NAME}.{package}" or module.startswith(f"{NAME}.{package}.")


@cache
def layer(module: str) -> int:
    """Row of a module; -1 if it has none, as the package itself."""
    rows = [(p, row) for row, line in enumerate(LAYERS.strip().splitlines()) for p in line.split() if covers(p, module)]
    return max(rows, key=lambda found: len(found[0]), default=("", -1))[1]


def upward_imports(modules: Sources) -> list[str]:
    found = [
        f"{module}:{line} imports {target}, which is above it"
        for module in modules
        for target, line in imports(module, modules)
        if target in modules and layer(target) > layer(module)
    ]
    return list(dict.fromkeys(found))


def forbidden_imports(modules: Sources) -> list[str]:
    found = []
    for module in modules:
        banned = {name for package, names in FORBIDDEN.items() if covers(package, module) for name in names.split()}
        if not any(covers(named, module) for named in WITH_TORCH.split()):
            banned |= {"torch", "monai"}
        for target, line in imports(module, modules):
            if any(target == name or target.startswith(f"{name}.") for name in banned):
                found.append(f"{module}:{line} imports {target}")
    return found


def circles(modules: Sources) -> list[str]:
    """Every circle that a search from each module meets, once per module that closes one."""
    graph = {m: sorted({t for t, _ in imports(m, modules) if t in modules and t != m}) for m in modules}
    found: list[str] = []
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            found.append(" -> ".join([*way[way.index(module) :], module]))
        elif module not in done:
            for target in graph[module]:
                visit(target, [*way, module])
            done.add(module)

    for module in graph:
        visit(module, [])
    return found


@pytest.fixture(scope="module")
def modules() -> Sources:
    return sources()


@pytest.mark.parametrize("rule", [upward_imports, forbidden_imports, circles])
def test_the_imports_follow_the_rule(rule, modules: Sources) -> None:
    found = rule(modules)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("rule", "module", "line"),
    [
        (upward_imports, "volume", "from .io.read import read_volume"),
        (upward_imports, "segment.split", "def late():\n    from ..measure import measure"),
        (upward_imports, "review.case.state", "from ..mrml import lines"),
        (upward_imports, "measure", "import SpineMeasureLib.export.tables"),
        (circles, "volume", "def late():\n    from .background import without_gaps"),
        (circles, "io.formats.header", "from . import nifti"),
        (forbidden_imports, "measure.disc", "import vtk"),
        (forbidden_imports, "segment.split", "def late():\n    from vtkmodules.vtkCommonCore import vtkIdList"),
        (forbidden_imports, "review.session", "import qt"),
        (forbidden_imports, "pipeline", "import torch.cuda"),
        (forbidden_imports, "web.page", "from ..train import data"),
    ],
)
def test_a_bad_import_is_found(rule, module: str, line: str, modules: Sources) -> None:
    name = f"{NAME}.{module}"
    changed = {**modules, name: f"{modules[name]}\n\n{line}\n"}
    assert set(rule(changed)) - set(rule(modules))


def test_an_import_for_type_checking_alone_is_free(modules: Sources) -> None:
    line = "if TYPE_CHECKING:\n    from .pipeline import Job"
    changed = {**modules, f"{NAME}.volume": modules[f"{NAME}.volume"] + line}
    assert upward_imports(changed) == upward_imports(modules)


def test_every_module_has_a_row_and_every_row_has_modules(modules: Sources) -> None:
    assert [module for module in modules if layer(module) < 0] == [NAME]
    named = {*LAYERS.split(), *FORBIDDEN, *WITH_TORCH.split()}
    assert not [name for name in named if f"{NAME}.{name}" not in modules]
