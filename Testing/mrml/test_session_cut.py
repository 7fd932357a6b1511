"""Structures that are cut off, by voxels without a value or by the end of a label file: measuring again knows that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.field_of_view import CUT, mark_cut, mark_cut_by_file
from SpineMeasureLib.measure import measure
from SpineMeasureLib.review.mrml.images import mask_of_text, text_of_mask
from SpineMeasureLib.review.session import Session
from SpineMeasureLib.segmentation import SpineSegmentation


def without_front(segmentation: SpineSegmentation, mark: Callable[..., SpineSegmentation]) -> SpineSegmentation:
    """A case of which only the part behind the middle of the discs is covered."""
    disc = segmentation.of_kind(Kind.DISC)[0]
    across = int(np.argmax(np.abs(segmentation.affine[1, :3])))
    middle = int(np.argwhere(segmentation.mask(disc))[:, across].mean())
    outside = np.zeros(segmentation.labels.shape, bool)
    front = slice(middle, None) if segmentation.affine[1, across] > 0 else slice(None, middle)
    outside[tuple(front if axis == across else slice(None) for axis in range(3))] = True
    return mark(replace(segmentation, labels=np.where(outside, np.uint8(0), segmentation.labels)), outside)


@pytest.fixture(params=[mark_cut, mark_cut_by_file], ids=["no values", "label file"])
def cut(request: pytest.FixtureRequest, small: Any) -> SpineSegmentation:
    return without_front(small[0], request.param)


def flags(segmentation: SpineSegmentation) -> dict[str, set[str]]:
    return {s.name: set(s.flags) for s in segmentation.structures}


def test_what_is_cut_off_stays_so_when_it_is_measured_again(scene: Any, cut: Any, tmp_path: Path) -> None:
    assert any(CUT in found for name, found in flags(cut).items() if "-" in name)
    before = measure(cut)
    session = Session.build(scene, None, cut, before)
    assert flags(session.segmentation()) == flags(cut)
    session._measured.doubt(True)
    result = session.remeasure()
    assert result.changed == result.appeared == result.vanished == ()
    assert [(m.key, set(m.flags)) for m in session.rows] == [(m.key, set(m.flags)) for m in before]
    session.close()
    assert scene.WriteToMRB(str(tmp_path / "case.mrb"))
    scene.Clear(0)
    assert scene.ReadFromMRB(str(tmp_path / "case.mrb"), True)
    (again,) = Session.find(scene)
    assert flags(again.segmentation()) == flags(cut)
    again._measured.doubt(True)
    assert again.remeasure().changed == ()
    again.close()


def test_a_mask_is_kept_as_text() -> None:
    mask = np.random.default_rng(5).random((3, 5, 7)) > 0.5
    assert np.array_equal(mask_of_text(text_of_mask(mask), mask.shape), mask)
    for text in ("", "no text of a mask!", text_of_mask(mask)[:8], text_of_mask(np.zeros((99, 99, 99), bool))):
        assert mask_of_text(text, mask.shape) is None
