"""The contrast of a stack of slices: by its description and image type, else as stated, else by its times."""

from __future__ import annotations

from .series import Series
from .words import Description, read_description

#: Spin echo limits in ms between T1, proton density and T2 weighting, if the description does not say (textbook
#: values; McRobbie et al., MRI from Picture to Proton, 3rd ed. 2017), inversion times around that which nulls fat (ln 2
#: of its T1, up to 3 T), and echo times at which only fluid has signal left (MR myelography).
_SHORT_TE_MS, LONG_TE_MS, _SHORT_TR_MS = 40.0, 60.0, 1000.0
_FAT_NULL_MS = (80.0, 300.0)
_FLUID_ONLY_TE_MS = 400.0
#: What enhanced images state about their contrast (PS3.3, Acquisition Contrast).
_STATED = {"T1": "T1", "T2": "T2", "PROTON_DENSITY": "PD", "STIR": "STIR", "UNKNOWN": "", "": ""}
#: Image types that are not a magnitude image of all that has signal.
_NOT_ANATOMY = {
    "P", "PHASE", "PHASE MAP", "I", "R", "REAL", "IMAGINARY", "ADC", "DIFFUSION", "SUBTRACTION", "SUB",
    "FAT_FRACTION", "T2_STAR MAP", "T2 MAP", "T1 MAP", "VELOCITY", "PROJECTION IMAGE",
}  # fmt: skip
#: Image types of Dixon images; the description counts if the image type has none of them.
_DIXON = {
    "water": {"WATER", "W"},
    "fat": {"FAT", "F"},
    "opposed": {"OP", "OPP_PHASE", "OUT_PHASE"},
    "in phase": {"IP", "IN_PHASE"},
}


def contrast(series: Series) -> str:
    """``"T2"``, ``"T2 FS"``, ``"STIR"``, ``"PD"``, ``"T1"`` ...: by the description, else as stated or by TR, TE, TI.

    :return: ``"other"`` for any other image (diffusion, myelography, phase, fat, gradient echo T2* ...), empty if
        unknown; with a ``?`` if only the times indicate it.
    """
    described = read_description(series.protocol)
    kind = set(series.frames[0].kind)
    dixon = next((name for name, types in _DIXON.items() if kind & types), described.dixon)
    if kind & _NOT_ANATOMY or described.not_anatomy or dixon in ("fat", "opposed"):
        return "other"
    if milliseconds(series, "EchoTime") >= _FLUID_ONLY_TE_MS or _number(series.frames[0].b_value) > 0:
        return "other"
    if described.stir:
        return "STIR"
    found = _weighting(series, described)
    if described.flair and not found.startswith("T1"):
        return "other"  # dark fluid hides the edge of the sac
    is_suppressed = described.suppressed or dixon == "water"
    return found + " FS" if is_suppressed and found.rstrip("?") in ("T2", "T1", "PD") else found


def milliseconds(series: Series, name: str) -> float:
    """Return a time of the header in ms; 0 if it is not stated."""
    return _number(series.header.get(name, ""))


def _weighting(series: Series, described: Description) -> str:
    by_times = _by_times(series)
    if (
        len(described.weightings) > 1 and by_times.rstrip("?") in described.weightings
    ):  # PD and T2 in one description: two echoes
        return by_times.rstrip("?")
    if described.weightings:
        return described.weightings[0]
    return _STATED.get(series.header.get("AcquisitionContrast", ""), "other") or by_times


def _by_times(series: Series) -> str:
    repetition, echo = milliseconds(series, "RepetitionTime"), milliseconds(series, "EchoTime")
    if _FAT_NULL_MS[0] <= milliseconds(series, "InversionTime") <= _FAT_NULL_MS[1]:
        return "STIR?"
    if not repetition or not echo:
        return ""
    if echo >= LONG_TE_MS:
        return "T2?"
    if echo < _SHORT_TE_MS:
        return "T1?" if repetition < _SHORT_TR_MS else "PD?"
    return ""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
