"""What a series description says, in whole words: weighting, fat suppression, Dixon image, localiser, part of spine.

Scanners, workstations and people write descriptions freely, in several languages; the words here are those in use.
Names of reconstruction and denoising (AIR Recon DL, Deep Resolve, SwiftMR, SubtleMR, SmartSpeed, MERGED ...) say
nothing of the contrast and are in no list.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

#: Where a word ends although no space says so: sSTIR, SwiftMR, AAHScout, T2Sag, a Chinese word beside a Latin one.
_SEAMS = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\d)(?=[A-Z][a-z])"
    r"|(?<=[\u4e00-\u9fff])(?=[0-9A-Za-z])|(?<=[0-9A-Za-z])(?=[\u4e00-\u9fff])"
)
#: What is written in front of a weighting without a space: SAGT2, sT2W, TSET2.
_GLUE = r"(?:sag|cor|tra|ax|obl|tse|fse|frfse|se|2d|3d|s|d|e|q)*"
_FAT = r"(?:fat|fett|graisse|gras|grasa|grasso|gordura)"


def _any(*patterns: str) -> re.Pattern[str]:
    """Matches any of some patterns as whole words; Chinese has no spaces between words."""
    latin = "|".join(p for p in patterns if p.isascii())
    other = "|".join(p for p in patterns if not p.isascii())
    return re.compile(rf"\b(?:{latin})(?!\w)" + (f"|{other}" if other else ""))


_WEIGHTINGS = {
    "T2": re.compile(rf"\b{_GLUE}t2(?!\d)"),
    "T1": re.compile(rf"\b{_GLUE}t1(?!\d)"),
    "PD": _any(rf"{_GLUE}pd(?:w|s|fs|tse|fse|spair|sag)*", "proton", "dp", "rho", "\u8d28\u5b50"),
}
_STIR = re.compile(r"stir|tirm|\b(?:ir ?(?:tse|fse)|(?:tse|fse) ?ir|turbo ?ir|tir)\b")
_FLAIR = _any(r"flair\w*", r"dark ?fluid")
_SUPPRESSED = _any(
    rf"{_GLUE}(?:(?:t1|t2|pd)w?)?(?:tse|fse|se|sag)*fs", "fsat", "f s", "we", "spair", "spir",
    "chess", "aspir", "proset",
    rf"{_FAT} ?(?:sat\w*|sup\w*|ges\w*|unter\w*|free|null\w*)", rf"(?:sat\w*|sup\w*) (?:de )?(?:la )?{_FAT}",
    r"water ?(?:exc\w*|sel\w*)", "\u538b\u8102", "\u6291\u8102", "\u8102\u80aa\u6291\u5236",
)  # fmt: skip
_NEGATED = re.compile(
    rf"\b(?:no|non|not|ohne|without|w o|wo|sans|sin|pre) (?:fs|{_FAT} ?(?:sat|sup)\w*|contrast\w*|gd|km)"
)
_FAT_FRACTION = _any(rf"{_FAT} ?frac\w*", "ff", "pdff")
_FAT_IMAGE = _any(_FAT, "\u8102\u50cf")
_WATER_IMAGE = _any("water", "wasser", "eau", "agua", "acqua", "\u6c34\u50cf")
_DIXON = _any(r"m?q?dixon\w*", "flex", "ideal", "lava", "wfi", "vibe", "2pt", "3pt")
_OPPOSED = _any(r"opp\w*", r"out ?(?:of )?phase\w*", "oop")
#: Within a Dixon series, single letters and abbreviations name the image.
_OF_DIXON = {"water": _any("w"), "fat": _any("f"), "opposed": _any("op", "out"), "in phase": _any("in", "ip")}
_NOT_ANATOMY = _any(
    # diffusion, perfusion, spectroscopy, vessels, flow
    r"dwi\w*", "dti", "dki", "ivim", "diff", r"diff?usion\w*", r"[ed]?adc\w*",
    "tracew?", r"b ?(?:50|\d{3,4})", r"perfu\w*",
    "perf",
    "dce", "dsc",
    "dyn", r"dynami\w*", "mrs", "csi", r"spectro\w*", "mra", r"angio\w*", "tof", r"csf ?flow", "cine",
    # gradient echoes with T2* contrast
    r"t2\*\w*", r"t2 ?star\w*", "star", "swi", "swan", "swip", "gre", "fgre", "ffe", "mffe", r"flash\w*",
    "medic",
    "merge", "cosmic", "mpgr",
    # computed images and pictures
    "maps?", r"[tr][12] ?map\w*", "mapit", "qsm", r"r2 ?(?:star|\*)", "mips?", "minip", "subs?", r"sub(?:tr|str)\w*",
    "soustraction",
    r"myelo\w*", "mrm", r"screen ?(?:shot|save)s?", r"scr ?save", r"pos ?disp", "report",
    # for the scanner itself
    r"cal", r"[ck]alib\w*", r"sense ?ref\w*", r"ref ?(?:scan|sense)", r"coil ?(?:survey|sens\w*|ref\w*)", r"b[01] ?map",
    r"shim(?:ming)?",
    r"pre ?scan\w*",
    "\u5f25\u6563", "\u6269\u6563", "\u704c\u6ce8", "\u6821\u51c6", "\u6c34\u6210\u50cf",
)  # fmt: skip
_LOCALISER = _any(
    r"(?:sag|ax|cor|spine|[ctl]|3pl?)?locs?", r"locali[sz]\w*", r"lo[ck]ali[sz]\w*", r"scouts?\w*", r"survey\w*",
    "pilote?s?",
    r"scano\w*", r"topogram\w*", r"(?:3|tri|three|drei|multi) ?pl(?:ane?s?|n)?", "reperage", r"u?e?bersicht\w*",
    r"suchschnitt\w*", "planung", "planning", "\u5b9a\u4f4d",
)  # fmt: skip
_REFORMAT = _any("mprs?", r"reformat\w*", "rfmt", "cpr", "curved", r"reko\w*", "\u91cd\u5efa")
_COMPOSED = _any(
    r"compos\w*",
    "(?<!flow )comp(?! sense)",
    r"stitch\w*",
    r"mobi ?view",
    "pasted",
    "pasting",
    "fused",
    r"zusammenges\w*",
    "\u62fc\u63a5",
)
_SINGLE_SHOT = _any("haste", "ssfse", "ssh", r"ssh?tse", r"single ?shot", "fase")
_AFTER_CONTRAST = re.compile(
    r"\+ ?c\b|\bc ?\+|\b(?:gd|gad\w*|km|post|inj\w*|contrast\w*|kontrast\w*|dotarem|magnevist)\b|\u589e\u5f3a"
)
_PARTS = {
    "upper": _any(r"cerv\w*", r"cerc\w*", "hws", r"c ?sp\w*", "upper", "oben", "top", "haut", "superior", r"hals\w*",
                  "\u9888\u690e"),
    "middle": _any(r"thor\w*", r"dors\w*", "bws", r"t ?sp(?:ine)?", r"mid\w*", "mitte", "\u80f8\u690e"),
    "lower": _any(r"lumb\w*", r"lomb\w*", "lws", r"l ?sp\w*", "lower", "unten", "bottom", "bas", "inferior",
                  "\u8170\u690e"),
}  # fmt: skip
_STATION = re.compile(r"\b(?:station|stage|stack|part|teil|segment) ?(\d)\b")


@dataclass(frozen=True)
class Said:
    """What a description says.

    :ivar weightings: of ``T2``, ``T1``, ``PD`` those that are named.
    :ivar suppressed: whether the signal of fat is suppressed.
    :ivar dixon: ``"water"``, ``"fat"``, ``"opposed"``, ``"in phase"``, or empty.
    :ivar not_anatomy: diffusion, gradient echo T2*, maps, projections, subtractions, calibrations ...
    :ivar parts: parts of the spine and numbers of stations.
    """

    weightings: tuple[str, ...]
    stir: bool
    flair: bool
    suppressed: bool
    dixon: str
    not_anatomy: bool
    localiser: bool
    reformat: bool
    composed: bool
    single_shot: bool
    after_contrast: bool
    parts: frozenset[str]


@lru_cache(maxsize=4096)
def read(description: str) -> Said:
    """Read a description."""
    text = _NEGATED.sub(" ", in_words(description))
    without_suppression = _SUPPRESSED.sub(" ", text)
    dixon = _dixon(without_suppression)
    return Said(
        weightings=tuple(name for name, pattern in _WEIGHTINGS.items() if pattern.search(text)),
        stir=bool(_STIR.search(text)),
        flair=bool(_FLAIR.search(text)),
        suppressed=without_suppression != text,
        dixon=dixon,
        not_anatomy=bool(_NOT_ANATOMY.search(text) or _FAT_FRACTION.search(text)),
        localiser=bool(_LOCALISER.search(text)),
        reformat=bool(_REFORMAT.search(text)),
        composed=bool(_COMPOSED.search(text)),
        single_shot=bool(_SINGLE_SHOT.search(text)),
        after_contrast=bool(_AFTER_CONTRAST.search(text)),
        parts=frozenset(name for name, pattern in _PARTS.items() if pattern.search(text)) | set(_STATION.findall(text)),
    )


def in_words(description: str) -> str:
    """Lower case words without accents, a space between them: first as written, then divided at their seams.

    >>> in_words("sT2W_TSE SwiftMR")
    'st2w tse swiftmr | s t2w tse swift mr'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", description) if not unicodedata.combining(c))
    written, divided = (
        " ".join(re.findall(r"[0-9a-z*]+|\+|[\u4e00-\u9fff]+", text.lower()))
        for text in (plain, _SEAMS.sub(" ", plain))
    )
    return written if divided == written else f"{written} | {divided}"


def _dixon(text: str) -> str:
    """Which image of a Dixon series a text names, suppression left out of it."""
    if _OPPOSED.search(text):
        return "opposed"
    named = [name for name, one in (("water", _WATER_IMAGE), ("fat", _FAT_IMAGE)) if one.search(text)]
    if not named and _DIXON.search(text):
        named = [name for name, pattern in _OF_DIXON.items() if pattern.search(text)]
    return named[0] if len(named) == 1 else ""
