"""Condenses what a real Slicer answered into facts.json: ``python Testing/widget/condense_facts.py FOLDER``.

FOLDER holds classes.json, members.json, names.json and python.json, read out of a running Slicer 5.12.3 (Qt 5.15).
Kept are the classes that the module and its panel use, without what every QWidget has, and the names of `slicer`.
Run it again when the module uses another class.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

#: Told in full by classes.json: properties, signals with signatures, members.
TOLD = (
    "qt.QWidget", "qt.QCheckBox", "qt.QComboBox", "qt.QLabel", "qt.QLineEdit", "qt.QPlainTextEdit", "qt.QProcess",
    "qt.QProgressBar", "qt.QPushButton", "qt.QScrollArea", "qt.QTabWidget", "qt.QTableWidget", "qt.QTextBrowser",
    "qt.QTimer", "qt.QHeaderView", "ctk.ctkCollapsibleButton", "ctk.ctkPathLineEdit", "slicer.qMRMLNodeComboBox",
    "slicer.qMRMLSegmentEditorWidget", "slicer.qMRMLWidget", "slicer.qMRMLLayoutManager", "slicer.app", "mainWindow",
)  # fmt: skip
#: Of these only the members are known.
MEMBERS = (
    "QByteArray", "QHBoxLayout", "QIcon", "QItemSelectionModel", "QKeySequence", "QModelIndex", "QProcessEnvironment",
    "QShortcut", "QTableWidgetItem", "QVBoxLayout", "QFormLayout", "Qt",
)  # fmt: skip
PYTHON = (
    "slicer.util", "slicer.packaging", "slicer.ScriptedLoadableModule", "slicer.parameterNodeWrapper", "slicer.i18n",
)  # fmt: skip


def condense(folder: Path) -> dict[str, Any]:
    """Contents of facts.json."""
    classes, members, names, python = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("classes", "members", "names", "python")
    )
    kept = {}
    base = classes["qt.QWidget"]
    for name in TOLD:
        told = {key: set(classes[name].get(key, ())) for key in ("members", "properties", "signals", "slots")}
        inherits = name != "qt.QWidget" and told["properties"] >= set(base["properties"])
        if inherits:
            told = {key: values - set(base[key]) for key, values in told.items()}
        short = name.partition(".")[2] or name
        kept[short] = {"widget": inherits, **{key: sorted(values) for key, values in told.items()}}
    for name in MEMBERS:
        kept[name] = {"widget": False, "members": sorted(members["qt"][name])}
    return {
        "source": "3D Slicer 5.12.3, Qt 5.15, Linux",
        "classes": kept,
        "slicer": names["slicer"],
        "slicer.modules": names["slicer.modules"],
        "qt": sorted(members["qt"]),
        "ctk": sorted(members["ctk"]),
        "python": {name: python[name] for name in PYTHON},
    }


if __name__ == "__main__":
    facts = condense(Path(sys.argv[1]))
    (HERE / "facts.json").write_text(json.dumps(facts, separators=(",", ":"), sort_keys=True) + "\n")
