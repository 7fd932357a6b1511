"""Examples in public docstrings and in the documents run and print what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
#: Modules that need the MRML core or the browser's packages have examples in their own tests.
ELSEWHERE = ("review/mrml/", "web/")


def with_examples(paths: list[Path]) -> list[str]:
    names = (str(p.relative_to(ROOT)) for p in paths if ">>> " in p.read_text(encoding="utf-8"))
    return sorted(name for name in names if not name.startswith(tuple(f"SpineMeasureLib/{e}" for e in ELSEWHERE)))


@pytest.mark.parametrize("name", with_examples(list((ROOT / "SpineMeasureLib").rglob("*.py"))))
def test_examples_in_docstrings_are_true(name: str) -> None:
    dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    done = doctest.testmod(importlib.import_module(dotted), optionflags=OPTIONS)
    assert done.attempted and not done.failed


@pytest.mark.parametrize("name", with_examples([ROOT / "README.md", *(ROOT / "docs").glob("*.md")]))
def test_examples_in_documents_are_true(name: str) -> None:
    done = doctest.testfile(str(ROOT / name), module_relative=False, optionflags=OPTIONS, encoding="utf-8")
    assert done.attempted and not done.failed
