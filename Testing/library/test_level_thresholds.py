"""How probable a name must be to count as verified, and which places in the spine it is weighed against."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from SpineMeasureLib.anatomy import USUAL_ORDER, VERTEBRA_ORDER, Region
from SpineMeasureLib.errors import LevelNameError
from SpineMeasureLib.segment.naming.levels import Naming, name_chain, name_from_below, neighbours, order_for, parse_disc
from SpineMeasureLib.segment.naming.sizes import Size

UNKNOWN = Size()


def with_dens(times: float, count: int = 7) -> Naming:
    """A chain of unknown sizes whose first vertebra is so many times likelier seen like this if it is C2."""
    return name_chain([UNKNOWN] * count, lowest_disc=None, sacrum=False, dens=times)


def test_a_dens_verifies_names_four_times_as_probable_as_all_others_together() -> None:
    """Seven vertebrae fit in 18 places from C2 to S1 in 91 % of spines, in 19 in 5 %, in 17 in 4 %: 18.01."""
    others = 0.91 * 18 + 0.05 * 19 + 0.04 * 17 - 1
    for times in (2.0, 50.0, 500.0):
        assert with_dens(times).probability == pytest.approx(times / (times + others))
    doubtful, sure = with_dens(3.9 * others), with_dens(4.1 * others)
    assert doubtful.vertebrae == sure.vertebrae == ("C2", "C3", "C4", "C5", "C6", "C7", "T1")
    assert (doubtful.anchor, doubtful.verified) == ("", False)
    assert (sure.anchor, sure.verified) == ("dens", True)
    assert sure.probability - doubtful.probability < 0.02


def test_variants_of_the_spine_have_the_share_of_persons_who_have_them() -> None:
    """A whole spine on a sacrum: its number of vertebrae says which variant it is, up to two that are as long."""
    variants = {26: {"L6": 0.04, "T13": 0.01}, 24: {"L5": 0.03, "T12": 0.01}}
    for length, shares in variants.items():
        found = name_chain([UNKNOWN] * (length - 1), lowest_disc=None, sacrum=True, dens=1e9)
        likelier, other = shares
        assert found.probability == pytest.approx(shares[likelier] / sum(shares.values()), abs=1e-3)
        assert (likelier in found.vertebrae) == (length == 26) and (other in found.runner_up) == (length == 26)
        assert len(found.vertebrae) == len(found.runner_up) == length - 1
    usual = name_chain([UNKNOWN] * 24, lowest_disc=None, sacrum=True, dens=1e9)
    assert usual.vertebrae == USUAL_ORDER[1:] and usual.probability > 0.99


def at_probability(wanted: float, named: Callable[[float], Naming], low: float, high: float) -> Naming:
    """The naming whose probability, which rises with a number, is the wanted one."""
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if named(middle).probability < wanted else (low, middle)
    assert named(high).probability == pytest.approx(wanted, abs=1e-3)
    return named(high)


#: AP depths and distances between discs (mm) of C4 to T4, Panjabi et al., Spine 1991.
DEPTHS = (15.3, 15.2, 16.4, 18.1, 18.5, 19.6, 22.7, 23.3)
STEPS = (None, 16.5, 16.5, 18.0, 19.0, 20.0, 20.5, None)


def at_the_cervicothoracic_border(share: float, steps: int = 1) -> Naming:
    """Four bodies predicted as cervical and four as thoracic, each with this share of its voxels."""
    rest = (1 - share) / (len(Region) - 1)
    seen = [Region.CERVICAL] * 4 + [Region.THORACIC] * 4
    regions = [tuple(share if region is mine else rest for region in Region) for mine in seen]
    sizes = [
        Size(depth, step if n <= steps else None) for n, (depth, step) in enumerate(zip(DEPTHS, STEPS, strict=True))
    ]
    return name_chain(sizes, lowest_disc=None, sacrum=False, regions=regions)


@pytest.mark.parametrize(("probability", "verified"), [(0.946, False), (0.954, True)])
def test_a_change_of_region_alone_verifies_names_of_95_percent(probability: float, verified: bool) -> None:
    """More than a dens or a sacrum must have: the model takes vertebrae beside the border for one another."""
    found = at_probability(probability, at_the_cervicothoracic_border, 0.3, 0.999)
    assert found.vertebrae == ("C4", "C5", "C6", "C7", "T1", "T2", "T3", "T4")
    assert (found.anchor, found.verified) == ("C7-T1" if verified else "", verified)


@pytest.mark.parametrize(("share", "anchor"), [(0.49, ""), (0.51, "C7-T1")])
def test_a_region_counts_if_it_is_predicted_in_more_than_half_of_a_body(share: float, anchor: str) -> None:
    found = at_the_cervicothoracic_border(share, steps=3)
    assert found.probability > 0.96 and found.anchor == anchor


def test_a_sacrum_that_masks_cannot_show_is_likely_below_the_chain() -> None:
    """If masks cannot show a sacrum, a hundred times likelier than each other place; else as likely as any."""
    places = 0.91 * 17 + 0.05 * 18 + 0.04 * 16  # of eight vertebrae
    for shown, times in ((True, 1.0), (False, 100.0)):
        found = name_chain([UNKNOWN] * 8, lowest_disc=None, sacrum=False, dens=1 + 1e-9, sacrum_drawn=shown)
        if not shown:
            assert found.vertebrae == ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1") and not found.verified
            assert found.probability == pytest.approx(0.91 * times / (places - 1 + times), rel=1e-3)
        else:
            assert found.probability == pytest.approx(1 / places, rel=1e-3)


def test_a_chain_of_which_nothing_is_known_has_no_probable_name() -> None:
    found = name_chain([UNKNOWN] * 4, lowest_disc=None, sacrum=False)
    assert (found.vertebrae, found.probability, found.verified) == (("L3", "L4", "L5", "S1"), 0.0, False)


def test_a_seen_sacrum_outweighs_a_hundred_thousand_to_one() -> None:
    usual = 0.91 * 17 + 0.05 * 18 + 0.04 * 16 - 1
    found = name_chain([UNKNOWN] * 8, lowest_disc=None, sacrum=True)
    assert found.vertebrae[-2:] == ("L5", "S1") and found.anchor == "sacrum"
    assert found.probability == pytest.approx(0.91 * 1e5 / (1e5 + usual), rel=1e-6)
    assert found.runner_up[-2:] == ("L6", "S1")


def predicted(*regions: Region) -> Naming:
    """Bodies of unknown size, nine tenths of each predicted as one region and the rest evenly as the other three."""
    shares = [tuple(0.9 if region is mine else 0.1 / 3 for region in Region) for mine in regions]
    return name_chain([UNKNOWN] * len(regions), lowest_disc=None, sacrum=False, regions=shares)


#: How likely this prediction is if the body is of that region or of another; one in ten is predicted at random.
RIGHT, WRONG = 0.1 / 4 + 0.9 * 0.9, 0.1 / 4 + 0.9 * 0.1 / 3


def test_one_body_is_any_of_its_region_unless_the_prediction_is_wrong() -> None:
    """Five cervical vertebrae from C3 on among 24.01, the mean number from C2 to S1."""
    found = predicted(Region.CERVICAL)
    assert found.probability == pytest.approx(RIGHT / (5 * RIGHT + 19.01 * WRONG))
    axis = predicted(Region.AXIS)
    assert axis.vertebrae == ("C2",) and axis.probability == pytest.approx(RIGHT / (RIGHT + 23.01 * WRONG))


def test_a_border_is_seen_at_its_place_in_55_of_100_spines() -> None:
    """Else both bodies look as one region: as what follows in 36 (the border seen too high), as what precedes in 9."""
    found = predicted(Region.CERVICAL, Region.THORACIC)
    at_border = 0.55 * RIGHT**2 + 0.45 * RIGHT * WRONG
    within_one = RIGHT * WRONG  # C3-C4 to C6-C7; T1-T2 to T11-T12, with T13, without T12
    pairs = 4 + 10 + 0.99 + 0.01
    others = 7 * WRONG**2 + 0.09 * RIGHT * WRONG  # the latter: T12-L1, seen as thoracic
    assert found.vertebrae == ("C7", "T1") and not found.verified
    assert found.probability == pytest.approx(at_border / (at_border + pairs * within_one + others), rel=0.005)


@pytest.mark.parametrize(
    ("given", "pair"),
    [("L5-S1", ("L5", "S1")), ("l5/s1", ("L5", "S1")), (" T12 - t13", ("T12", "T13")), ("L6-S1", ("L6", "S1")),
     ("T13-L1", ("T13", "L1")), ("L4-S1", ("L4", "S1")), ("T11-L1", ("T11", "L1")), ("C2-C3", ("C2", "C3")),
     ("T12-L1", ("T12", "L1")), ("L5-L6", ("L5", "L6"))],
)  # fmt: skip
def test_discs_are_named_by_the_vertebrae_beside_them(given: str, pair: tuple[str, str]) -> None:
    assert parse_disc(given) == pair


@pytest.mark.parametrize("given", ["", "L5", "L5-", "S1-L5", "L3-S1", "T10-L1", "C1-C2", "X1-X2", "L5-S1-S2", "T13-L2"])
def test_what_no_disc_is_between_is_refused(given: str) -> None:
    with pytest.raises(LevelNameError, match="is not a valid disc level") as caught:
        parse_disc(given)
    assert "L5-S1" in str(caught.value.hint)


def test_vertebrae_touch_only_those_next_to_them() -> None:
    pairs = neighbours()
    assert len(pairs) == 24 + 4 + 2  # the usual spine, T13 and L6 with both sides, L5 or T12 missing
    for upper, lower in pairs:
        assert 1 <= VERTEBRA_ORDER.index(lower) - VERTEBRA_ORDER.index(upper) <= 3


@pytest.mark.parametrize(
    ("upper", "lower", "tail"),
    [
        ("L5", "S1", ("T12", "L1", "L2", "L3", "L4", "L5", "S1")),
        ("L6", "S1", ("L1", "L2", "L3", "L4", "L5", "L6", "S1")),
        ("L5", "L6", ("T12", "L1", "L2", "L3", "L4", "L5", "L6")),
        ("T13", "L1", ("T8", "T9", "T10", "T11", "T12", "T13", "L1")),
        ("T12", "T13", ("T7", "T8", "T9", "T10", "T11", "T12", "T13")),
        ("L4", "S1", ("T11", "T12", "L1", "L2", "L3", "L4", "S1")),
        ("T11", "L1", ("T6", "T7", "T8", "T9", "T10", "T11", "L1")),
    ],
)
def test_names_follow_upwards_from_a_named_disc(upper: str, lower: str, tail: tuple[str, ...]) -> None:
    found = name_chain([UNKNOWN] * 7, lowest_disc=f"{upper}-{lower}", sacrum=False)
    assert (found.vertebrae, found.anchor, found.probability) == (tail, "user", 1.0)
    assert order_for(upper, lower)[0] == "C1" and found.verified and found.runner_up == ()


def test_more_vertebrae_than_lie_above_a_named_disc_are_refused() -> None:
    assert name_from_below(4, "C3", "C4", "user").vertebrae == ("C1", "C2", "C3", "C4")
    with pytest.raises(LevelNameError, match="5 vertebrae cannot end in C3-C4: there are only 4 above it") as caught:
        name_from_below(5, "C3", "C4", "user")
    assert "lower disc" in str(caught.value.hint)
