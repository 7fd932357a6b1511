"""MRML tests run on slicer-core: real scene, real nodes. VTK errors and swallowed exceptions fail a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def application() -> Any:
    """The MRML application of this process."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from SpineMeasureLib.review.app import mrml_application

    return mrml_application()


@pytest.fixture
def scene(application: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty scene; exceptions in observers and VTK errors are collected and fail the test at its end."""
    from vtkmodules.util.misc import calldata_type
    from vtkmodules.vtkCommonCore import VTK_STRING, vtkOutputWindow

    bad: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, trace: bad.append(repr(value)))

    @calldata_type(VTK_STRING)
    def note(caller: Any, event: str, text: str = "") -> None:
        bad.append(text.strip())

    window = vtkOutputWindow.GetInstance()
    tag = window.AddObserver("ErrorEvent", note)
    application.scene.Clear(0)
    yield application.scene
    application.scene.Clear(0)
    window.RemoveObserver(tag)
    assert not bad
