"""Renaming levels: one disc named or all shifted, the whole chain follows. No MRML needed."""

from __future__ import annotations

import pytest

from SpineMeasureLib.anatomy import USUAL_ORDER, Kind
from SpineMeasureLib.errors import LevelNameError
from SpineMeasureLib.measure.types import Measurement
from SpineMeasureLib.review.case.derived import new_state
from SpineMeasureLib.review.case.levels import chain_of, discs_of
from SpineMeasureLib.review.case.rename import named_disc, renamed, shifted
from SpineMeasureLib.review.case.state import State


def spine(*vertebrae: str, sacrum: bool = True) -> State:
    """A case with these vertebrae, a disc between each two, and one row per structure."""
    segments = {}
    for upper, lower in zip(vertebrae, (*vertebrae[1:], ""), strict=True):
        kind = Kind.SACRUM if upper == "S1" and sacrum else Kind.BODY
        segments[upper] = (kind, upper)
        if lower:
            segments[f"{upper}-{lower}"] = (Kind.DISC, f"{upper}-{lower}")
    rows = []
    for kind, level in segments.values():
        quantity = "disc_area" if kind is Kind.DISC else "body_depth"
        rows.append(Measurement(level, quantity, "area", 1.0, "mm2", flags=("level_unverified", "few_slices")))
    return new_state(rows, segments, False, "")


def usual(first: str, last: str) -> tuple[str, ...]:
    return USUAL_ORDER[USUAL_ORDER.index(first) : USUAL_ORDER.index(last) + 1]


def chain_after(state: State, names: dict[str, str]) -> list[str]:
    after = renamed(state, names, ())
    # Rows and segments go together.
    levels = {level for kind, level in after.segments.values() if kind in (Kind.DISC, Kind.BODY, Kind.SACRUM)}
    assert levels == {row.automatic.level for row in after.rows.values()}
    assert len(levels) == len(state.rows)
    return chain_of(after)


def test_naming_the_lowest_disc_moves_the_whole_chain() -> None:
    state = spine("T12", "L1", "L2", "L3", "L4")
    assert chain_after(state, named_disc(state, "L3-L4", "L5-S1")) == ["L2", "L3", "L4", "L5", "S1"]


def test_the_users_word_verifies_the_levels() -> None:
    state = spine("L3", "L4", "L5")
    after = renamed(state, named_disc(state, "L4-L5", "L4-L5"), ())
    assert after.verified and after.anchor == "user"
    assert all(row.automatic.flags == ("few_slices",) for row in after.rows.values())


def test_a_vertebra_that_becomes_the_first_sacral_one_is_the_sacrum_and_back() -> None:
    state = spine("L3", "L4", "L5", sacrum=False)
    after = renamed(state, named_disc(state, "L4-L5", "L5-S1"), ())
    assert after.segments["L5"] == (Kind.SACRUM, "S1")
    assert renamed(after, shifted(after, -1), ()).segments["L5"] == (Kind.BODY, "L5")


def test_an_extra_lumbar_vertebra_arises_from_its_disc_with_the_sacrum() -> None:
    state = spine(*usual("T11", "S1"))
    assert chain_after(state, named_disc(state, "L5-S1", "L6-S1")) == ["T12", "L1", "L2", "L3", "L4", "L5", "L6", "S1"]
    assert chain_after(state, named_disc(state, "T11-T12", "T12-L1"))[-2:] == ["L6", "S1"]


def test_a_missing_lumbar_vertebra_keeps_the_sacrum_only_by_the_users_word() -> None:
    state = spine(*usual("L1", "S1"))
    after = chain_after(state, named_disc(state, "L5-S1", "L4-S1"))
    assert after == ["T12", "L1", "L2", "L3", "L4", "S1"]


@pytest.mark.parametrize(("disc", "name"), [("L1-L2", "T12-L1"), ("L4-L5", "L3-L4")])
def test_no_disc_between_l4_and_the_sacrum_arises_from_another_name(disc: str, name: str) -> None:
    with pytest.raises(LevelNameError, match="directly below L4"):
        named_disc(spine(*usual("L1", "S1")), disc, name)


def test_a_thirteenth_thoracic_vertebra_arises_from_its_disc() -> None:
    state = spine(*usual("T11", "S1"))
    after = chain_after(state, named_disc(state, "T12-L1", "T12-T13"))
    assert after == ["T11", "T12", "T13", "L1", "L2", "L3", "L4", "S1"]


def test_a_disc_in_the_middle_names_those_above_and_below() -> None:
    state = spine(*usual("C3", "T2"))
    assert chain_after(state, named_disc(state, "C5-C6", "C6-C7")) == list(usual("C4", "T3"))


def test_levels_shift_down_to_an_extra_lumbar_vertebra_and_back() -> None:
    state = spine(*usual("L2", "L5"))
    seen = []
    for _ in range(2):
        state = renamed(state, shifted(state, 1), ())
        seen.append(discs_of(state)[-1])
    assert seen == ["L5-S1", "L6-S1"]
    with pytest.raises(LevelNameError):
        shifted(state, 1)
    for _ in range(3):
        state = renamed(state, shifted(state, -1), ())
        seen.append(discs_of(state)[-1])
    assert seen[2:] == ["L5-S1", "L4-L5", "L3-L4"]


def test_shifting_counts_a_thirteenth_thoracic_vertebra() -> None:
    state = spine("T11", "T12", "T13", "L1", "L2")
    assert chain_after(state, shifted(state, 1)) == ["T12", "T13", "L1", "L2", "L3"]


@pytest.mark.parametrize(
    ("disc", "name"),
    [("L4-L5", "L9-S1"), ("L4-L5", "L3-L5"), ("L4-L5", "nonsense"), ("T1-T2", "L4-L5"), ("L4-L5", "C2-C3")],
)
def test_names_that_do_not_fit_are_refused(disc: str, name: str) -> None:
    with pytest.raises(LevelNameError):
        named_disc(spine(*usual("L1", "S1")), disc, name)


def test_no_disc_lies_above_the_axis() -> None:
    state = spine(*usual("C2", "C6"))
    with pytest.raises(LevelNameError):
        shifted(state, -1)


def test_values_of_regions_are_those_that_the_new_names_yield() -> None:
    state = spine(*usual("L1", "S1"))
    angle = Measurement("L1-S1", "lordosis", "cobb", 50.0, "deg")
    after = renamed(state, named_disc(state, "L5-S1", "L4-L5"), ())
    assert not [r for r in after.rows.values() if r.automatic.quantity == "lordosis"]
    back = renamed(after, shifted(after, 1), [angle])
    assert [r.automatic for r in back.rows.values()][-1] == angle
    assert len(back.rows) == len(state.rows) + 1
