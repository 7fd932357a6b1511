"""Every name, property, signal and method that the module uses is one that a real Slicer 5.12.3 has (facts.json)."""

from __future__ import annotations

import ast
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "SpineMeasure"
UI = MODULE / "Resources" / "UI" / "SpineMeasure.ui"
FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "facts.json").read_text())
SOURCES = sorted(MODULE.rglob("*.py"))

#: What local names stand for, by file. `self.ui.NAME` is looked up in the .ui file.
RECEIVERS = {
    "SpineMeasure.py": {"slicer.app": "app", "uiWidget": "qMRMLWidget"},
    "Panel.py": {"button": "QPushButton"},
    "CaseSection.py": {"button": "QPushButton", "widget": "QWidget", "slicer.app": "app"},
    "ExportSection.py": {"button": "QPushButton"},
    "LevelsSection.py": {"box": "QComboBox"},
    "Logic.py": {"slicer.app": "app", "layoutManager": "qMRMLLayoutManager",
                 "slicer.app.layoutManager()": "qMRMLLayoutManager"},
    "MeasurementsSection.py": {"box": "QComboBox", "slicer.app": "app"},
    "MessageBar.py": {"self.label": "QLabel"},
    "Parameters.py": {"widget": "QWidget"},
    "SegmentsSection.py": {"self._timer": "QTimer"},
    "ChildRun.py": {
        "self.process": "QProcess", "environment": "QProcessEnvironment", "self._timer": "QTimer",
        "array": "QByteArray", "slicer.app": "app",
    },
    "MeasurementTable.py": {"table": "QTableWidget", "self.table": "QTableWidget", "item": "QTableWidgetItem",
                            "table.verticalHeader()": "QHeaderView", "table.horizontalHeader()": "QHeaderView",
                            "index": "QModelIndex", "self.table.selectionModel()": "QItemSelectionModel"},
    "SegmentEditor.py": {"editor": "qMRMLSegmentEditorWidget", "self.widget": "qMRMLSegmentEditorWidget",
                         "self.layout": "QVBoxLayout", "slicer.app": "app"},
    "Surroundings.py": {"layoutManager": "qMRMLLayoutManager", "shortcut": "QShortcut", "slicer.app": "app"},
    "Installation.py": {"slicer.app": "app"},
}  # fmt: skip
#: Made by the module itself, and real nodes and logics of slicer-core, which the scene tests exercise.
OWN_MODULES = {"spinemeasure"}


def tree_of(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child._parent = node  # type: ignore[attr-defined]
    return tree


def of_class(name: str) -> dict[str, set[str]]:
    own = FACTS["classes"][name]
    parts = [own, FACTS["classes"]["QWidget"]] if own["widget"] else [own]
    return {key: {x for part in parts for x in part.get(key, ())} for key in ("members", "properties", "signals")}


def widgets() -> dict[str, str]:
    """Class of every named widget and layout of the .ui file."""
    tree = ET.parse(UI)
    return {e.get("name") or "": e.get("class") or "" for tag in ("widget", "layout") for e in tree.iter(tag)}


def class_of(text: str, file: str) -> str | None:
    """The Qt class that an expression stands for."""
    local = RECEIVERS.get(file, {})
    for prefix in ("self.ui.", "ui.", "panel.ui."):
        if text.startswith(prefix) and text.count(".") == prefix.count("."):
            return widgets()[text.removeprefix(prefix)]
    return local.get(text) if local.get(text) != "ui" else None


def uses(path: Path) -> Iterator[tuple[ast.Attribute, str, str]]:
    """(node, class, attribute) of every attribute of a known Qt object."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            kind = class_of(ast.unparse(node.value), path.name)
            if kind:
                yield node, kind, node.attr


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_attributes_exist_and_are_used_as_property_or_method(path: Path) -> None:
    for node, kind, name in uses(path):
        facts = of_class(kind)
        where = f"{path.name}:{node.lineno} {kind}.{name}"
        parent = node._parent  # type: ignore[attr-defined]
        called = isinstance(parent, ast.Call) and parent.func is node
        assert name in facts["members"] | facts["properties"], where
        if name in facts["properties"]:
            assert not called, f"{where} is a property: no brackets"
        elif facts["properties"]:
            assert not isinstance(node.ctx, ast.Store), f"{where} is no property and cannot be set"
            assert called or isinstance(parent, ast.Call), f"{where} is a method"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_signals_are_connected_by_signatures_that_exist(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr not in ("connect", "disconnect"):
            continue
        kind = class_of(ast.unparse(node.func.value), path.name)
        assert kind, f"{path.name}:{node.lineno} unknown receiver of {ast.unparse(node)}"
        signature = ast.literal_eval(node.args[0])
        if kind == "QShortcut":  # facts tell its members only
            assert signature == "activated()" and "activated" in of_class(kind)["members"]
        else:
            assert signature in of_class(kind)["signals"], f"{path.name}:{node.lineno} {kind} {signature}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_names_of_qt_ctk_and_slicer_exist(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Attribute):
            continue
        text = ast.unparse(node)
        where = f"{path.name}:{node.lineno} {text}"
        parts = text.split(".")
        if parts[0] in ("qt", "ctk") and len(parts) == 2:
            assert parts[1] in FACTS[parts[0]], where
        elif parts[0] in ("qt", "ctk") and len(parts) == 3:
            assert parts[2] in of_class(parts[1])["members"], where
        elif text.startswith("slicer.util.") and len(parts) == 3:
            assert parts[2] in FACTS["python"]["slicer.util"], where
        elif text.startswith("slicer.packaging.") and len(parts) == 3:
            assert parts[2] in FACTS["python"]["slicer.packaging"], where
        elif text.startswith("slicer.modules.") and len(parts) == 3:
            assert parts[2] in {*FACTS["slicer.modules"], *OWN_MODULES}, where
        elif parts[0] == "slicer" and len(parts) == 2:
            assert parts[1] in FACTS["slicer"], where


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_names_imported_from_slicer_exist(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "slicer":
            for alias in node.names:
                known = FACTS["slicer"] if node.module == "slicer" else FACTS["python"][node.module]
                # The mixin's class is not listed among the functions of slicer.util; slicer-core has the real file.
                assert alias.name in known or alias.name == "VTKObservationMixin", f"{path.name}: {alias.name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_functions_of_slicer_are_called_as_their_signatures_allow(path: Path) -> None:
    import inspect

    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Call):
            continue
        module, _, name = ast.unparse(node.func).rpartition(".")
        signature = FACTS["python"].get(module, {}).get(name)
        if not isinstance(signature, str):
            continue
        made: dict[str, Any] = {}
        exec(f"def allowed{signature}: pass", made)
        named = {k.arg: None for k in node.keywords if k.arg}
        inspect.signature(made["allowed"]).bind(*node.args, **named)


def test_nothing_that_qt6_dropped_is_used() -> None:
    dropped = (
        r"\.exec_\(|QRegExp\b|QDesktopWidget|QTextCodec|currentIndexChanged\(QString\)|\.margin\b|buttonClicked\(int\)"
    )
    for path in (*SOURCES, UI):
        assert not re.search(dropped, path.read_text()), path.name


def test_ui_file_uses_classes_properties_signals_and_slots_that_exist() -> None:
    tree = ET.parse(UI)
    for widget in tree.iter("widget"):
        kind = widget.get("class") or ""
        for prop in widget.findall("property"):
            name = prop.get("name") or ""
            if prop.get("stdset") != "0":
                assert name in of_class(kind)["properties"], f"{widget.get('name')}: {kind}.{name}"
    kinds = widgets()
    for connection in tree.iter("connection"):
        sender, signal, receiver, slot = (
            connection.findtext(k) or "" for k in ("sender", "signal", "receiver", "slot")
        )
        assert signal in of_class(kinds[sender])["signals"]
        assert slot in FACTS["classes"][kinds[receiver]]["slots"]


def test_every_widget_with_a_parameter_has_one_and_the_other_way_round() -> None:
    tree = ET.parse(UI)
    named = [p.findtext("string") for p in tree.iter("property") if p.get("name") == "SlicerParameterName"]
    body = next(
        n for n in tree_of(MODULE / "SpineMeasure.py").body
        if isinstance(n, ast.ClassDef) and n.name == "SpineMeasureParameterNode"
    )  # fmt: skip
    declared = [n.target.id for n in body.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
    # Its widget shows what the case has, which need not be the reader's choice for new cases: `test_ends`.
    by_the_desk = ["ends"]
    assert sorted([*named, *by_the_desk], key=str) == sorted(declared)


def test_choices_of_the_parameters_are_those_of_the_library() -> None:
    from SpineMeasureLib.review.panel import ENDS, GROUPS

    source = (MODULE / "SpineMeasure.py").read_text()
    for name, known in (("group", GROUPS), ("ends", ENDS)):
        choices = re.search(rf"{name}: Annotated\[\s*str,\s*Choice\((\[.*?\])\)", source, re.DOTALL)
        assert choices and ast.literal_eval(choices.group(1)) == list(known)


def test_nothing_is_done_on_import_and_torch_is_never_imported() -> None:
    for path in SOURCES:
        tree = tree_of(path)
        for node in tree.body:
            allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Assign, ast.Expr)
            assert isinstance(node, allowed)
            if isinstance(node, ast.Expr):
                assert isinstance(node.value, ast.Constant), f"{path.name}:{node.lineno}"
        names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not names & {"torch", "monai", "safetensors"}
    top = {n.module or "" for n in tree_of(MODULE / "SpineMeasure.py").body if isinstance(n, ast.ImportFrom)}
    assert not any(name.startswith("SpineMeasure") for name in top), "the library is found only when it is needed"


def sentences(folder: Path, passed_over: set[str]) -> Iterator[str]:
    """The fixed sentences of the errors that the files of a folder raise for the user."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(tree_of(path)):
            if path.name in passed_over or not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
                continue
            if ast.unparse(node.exc.func) not in ("ValueError", "IndexError", "KeyError"):
                yield from (a.value for a in node.exc.args if isinstance(a, ast.Constant))


def said_in(path: Path) -> Iterator[str]:
    """The fixed texts of a file that names them in capitals or has the desk say them."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            yield node.value.value
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "desk.say":
            yield from (a.value for a in node.args[:2] if isinstance(a, ast.Constant) and a.value)


OUTSIDE_SLICER = {"app.py", "bundle.py", "case_tables.py", "keep.py", "members.py", "save.py"}


def test_every_text_of_the_library_that_the_panel_shows_can_be_translated() -> None:
    from SpineMeasureLib.child import NEXT_STEPS
    from SpineMeasureLib.measure.definitions import methods
    from SpineMeasureLib.measure.flags import FLAGS, in_words
    from SpineMeasureLib.review import actions, panel

    calls = [n for n in ast.walk(tree_of(MODULE / "SpineMeasureGui" / "Texts.py")) if isinstance(n, ast.Call)]
    listed = [ast.literal_eval(n.args[0]) for n in calls if isinstance(n.args[0], ast.Constant)]
    wanted = {
        *panel.COLUMNS, *panel.STATUS_TEXTS, *panel.GROUPS, panel.ALL_LEVELS, panel.LEVELS_GUESSED,
        *(in_words(flag) for flag in FLAGS if flag != "edited"), *(d.title for d in methods()),
        *panel.SCOPES, *panel.ENDS.values(),
        *(text for _, text in panel.SHORTCUTS.values()), *filter(None, NEXT_STEPS.values()),
        *(action.otherwise for action in actions.ACTIONS.values() if action.otherwise),
        *said_in(ROOT / "SpineMeasureLib" / "review" / "actions.py"),
        # Those left out have no part in Slicer.
        *sentences(ROOT / "SpineMeasureLib" / "review", OUTSIDE_SLICER),
        *sentences(MODULE / "SpineMeasureGui", set()),
    }  # fmt: skip
    assert sorted(listed) == sorted(wanted)
