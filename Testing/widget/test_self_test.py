"""The module's own self-test and start, on the facade."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest


@pytest.mark.parametrize("entered", [False, True], ids=["without a window", "from the module's own button"])
def test_self_test_of_the_module_passes(panel: Any, entered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer

    from Testing.widget.application import module_classes

    representation = types.SimpleNamespace(self=lambda: panel)
    module = types.SimpleNamespace(widgetRepresentation=lambda: representation)
    monkeypatch.setattr(slicer.modules, "spinemeasure", module, raising=False)
    if not entered:
        panel.exit()
    test = module_classes().SpineMeasureTest()
    test.runTest()
    assert panel.entered == entered and panel.session is None


def test_start_registers_the_sample_and_the_terms(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import slicer
    import vtk

    from SpineMeasureLib.review.mrml.layout import LAYOUT_ID
    from Testing.widget.application import module_classes

    registered: list[dict[str, Any]] = []
    logic = types.SimpleNamespace(registerCustomSampleDataSource=lambda **source: registered.append(source))
    data = types.ModuleType("SampleData")
    data.SampleDataLogic = logic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SampleData", data)
    parent = types.SimpleNamespace()
    module_classes().SpineMeasure(parent)
    assert parent.title and "href" in parent.helpText and parent.categories == ["Quantification"]
    slicer.app._signal("startupCompleted()").emit()
    (source,) = registered
    assert source["uris"].startswith("file://") and source["checksums"].startswith("SHA256:")
    assert source["sampleName"] in parent.helpText
    names = vtk.vtkStringArray()
    slicer.modules.terminologies.logic().GetLoadedTerminologyNames(names)
    loaded = [names.GetValue(n) for n in range(names.GetNumberOfValues())]
    assert loaded.count("SpineMeasure") == 1
    assert slicer.app.layoutManager().layoutLogic().GetLayoutNode().IsLayoutDescription(LAYOUT_ID)
    module_classes().SpineMeasureLogic.loadTerminology()
    assert names.GetNumberOfValues() == len(loaded)


def test_reloading_the_module_reloads_the_files_of_its_panel(panel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from Testing.widget.application import ScriptedLoadableModuleWidget, module_classes

    seen: list[bool] = []

    def reload(widget: Any) -> None:
        seen.append(any(name.startswith("SpineMeasureGui") for name in sys.modules))

    monkeypatch.setattr(ScriptedLoadableModuleWidget, "onReload", reload, raising=False)
    before = module_classes().SpineMeasureLogic
    panel.onReload()
    assert seen == [False] and module_classes().SpineMeasureLogic is not before
    with pytest.raises(AttributeError, match="SpineMeasureNothing"):
        module_classes().SpineMeasureNothing  # noqa: B018
