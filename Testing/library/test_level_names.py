"""Level names where the sacrum is not in view: from the dens, or from the sizes of the vertebrae."""

from __future__ import annotations

import numpy as np
import pytest

from SpineMeasureLib.anatomy import USUAL_ORDER, Kind, Tissue
from SpineMeasureLib.segment.instances import name_structures
from SpineMeasureLib.segment.sizes import _DEPTH_MM, _STEP_MM, Size, most_likely

AFFINE = np.array([[3.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
BODY, DISC = 13, 5


def neck(top: str, bodies: int = 6) -> np.ndarray:
    """Cervical bodies 16 mm deep and 13 mm high, discs of 5 mm; above them a `top`: "dens", "fused" or "body"."""
    tissue = np.zeros((7, 70, 190), np.uint8)  # i right, j forward, k up
    tissue[2:5, 15:26, 5:185] = Tissue.CANAL
    k = 12
    for _ in range(bodies):
        tissue[1:6, 30:46, k : k + BODY] = Tissue.BODY
        tissue[1:6, 30:46, k + BODY : k + BODY + DISC] = Tissue.DISC
        k += BODY + DISC
    tissue[1:6, 30:46, k : k + 18] = Tissue.BODY
    if top == "dens":
        tissue[2:5, 33:43, k + 18 : k + 34] = Tissue.BODY
    elif top == "fused":
        tissue[1:6, 30:46, k + 18 : k + 34] = Tissue.BODY
    return tissue


def test_the_dens_names_the_neck_from_above() -> None:
    found = name_structures(neck("dens"), AFFINE)
    assert (found.anchor, found.level_verified) == ("dens", True)
    discs = [s.level for s in found.of_kind(Kind.DISC)]
    assert discs == ["C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1"]
    assert all("fused_or_absent_disc" not in s.flags for s in found.structures)


@pytest.mark.parametrize("top", ["fused", "body"])
def test_what_is_no_dens_anchors_nothing(top: str) -> None:
    found = name_structures(neck(top), AFFINE)
    assert not found.level_verified and found.anchor == ""
    assert "guess" in found.warnings[-1] and "--lowest-disc" in found.warnings[-1]


def test_a_dens_cut_by_the_field_of_view_anchors_nothing() -> None:
    whole = neck("dens")
    top = int(np.nonzero(whole == Tissue.BODY)[2].max())
    assert not name_structures(np.ascontiguousarray(whole[:, :, : top - 8]), AFFINE).level_verified


def chain(first: str, last: str, person: float = 1.0) -> list[Size]:
    """The mean sizes from `first` to `last`; the discs above the first and below the last are not in view."""
    start, end = USUAL_ORDER.index(first), USUAL_ORDER.index(last)
    sizes = []
    for n in range(start, end + 1):
        step = _STEP_MM[n - 2] * person if start < n < end else None
        sizes.append(Size(_DEPTH_MM[n - 1] * person, step))
    return sizes


@pytest.mark.parametrize(("first", "last"), [("C3", "T2"), ("T2", "T11"), ("T10", "L5"), ("T9", "L4")])
@pytest.mark.parametrize("person", [0.9, 1.1])
def test_vertebrae_of_mean_size_are_recognised_whatever_the_person_s_size(first: str, last: str, person: float) -> None:
    likely = most_likely(chain(first, last, person))
    assert likely is not None and USUAL_ORDER[likely.top] == first
    assert 0.1 < likely.probability <= 1.0 and abs(likely.runner_up - likely.top) == 1


def test_more_vertebrae_leave_less_doubt() -> None:
    few, many = most_likely(chain("T12", "L3")), most_likely(chain("T6", "L5"))
    assert few is not None and many is not None and many.probability > few.probability


def test_a_chain_of_unknown_sizes_is_put_lowest_and_one_too_long_nowhere() -> None:
    likely = most_likely([Size()] * 7)
    assert likely is not None and USUAL_ORDER[likely.top + 6] == "S1"
    assert most_likely([Size()] * 25) is None


def test_one_step_across_a_missed_disc_does_not_move_the_names() -> None:
    sizes = chain("C3", "T2")
    sizes[3] = Size(sizes[3].depth, 34.0)
    likely = most_likely(sizes)
    assert likely is not None and USUAL_ORDER[likely.top] == "C3"
