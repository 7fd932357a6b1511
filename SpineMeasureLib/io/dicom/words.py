"""What a series description says, in whole words: weighting, fat suppression, Dixon image, localiser, part of spine.

Scanners, workstations and people write descriptions freely, in several languages; these are the words in use.
Names of reconstruction and denoising (AIR Recon DL, Deep Resolve, SwiftMR, SubtleMR, SmartSpeed, MERGED ...) say
nothing of the contrast and are in no list.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

#: Where a word ends without a space: sSTIR, SwiftMR, AAHScout, T2Sag, a Chinese word beside a Latin one.
_SEAMS = re.compile(
    r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\d)(?=[A-Z][a-z])"
    r"|(?<=[\u4e00-\u9fff])(?=[0-9A-Za-z])|(?<=[0-9A-Za-z])(?=[\u4e00-\u9fff])"
)
#: What is written in front of a weighting without a space: SAGT2, sT2W, TSET2.
_GLUE = r"(?:sag|cor|tra|ax|obl|tse|fse|frfse|se|2d|3d|s|d|e|q)*"
#: And behind the name of a picture: SCOUT2, MYELO3D.
_NUMBERED = r"(?:[23]d|\d{1,2})?"
_FAT = r"(?:fat|fett|graisse|gras|grasa|grasso|gordura)"
_SATURATED = (
    r"(?:sats?|satur|saturated|saturation|saturee?|saturacion|saturad[ao]|saturazione|saturacao|saturiert|saturierung"
    r"|supp?r?|supp?ress|supp?ress?ed|supp?ress?ion|supresao|suprimid[ao]|supprimee?|soppress(?:a|o|ione))"
)
_CONTRAST = r"(?:[ck]ontrast(?:s|e|o|ed|mittel)?)"


def _any(*patterns: str, end: str = "") -> re.Pattern[str]:
    """Match any of some patterns as whole words; Chinese has no spaces between words.

    A pattern names words to their ends: surnames, places and diseases begin as most abbreviations do.

    :param end: pattern of what may be written behind each of them without a space.
    """
    latin = "|".join(p for p in patterns if p.isascii())
    other = "|".join(p for p in patterns if not p.isascii())
    return re.compile(rf"\b(?:{latin}){end}(?!\w)" + (f"|{other}" if other else ""))


_WEIGHTINGS = {
    "T2": re.compile(rf"\b{_GLUE}t2(?!\d)"),
    "T1": re.compile(rf"\b{_GLUE}t1(?!\d)"),
    "PD": _any(rf"{_GLUE}pd(?:w|s|fs|tse|fse|spair|sag)*", "proton", "dp", "rho", "\u8d28\u5b50"),
}
_STIR = _any(
    rf"{_GLUE}(?:(?:t2|pd)w?)?(?:tse|fse|ir|sag)*(?:stir|tirm)(?:w|fs|tse|fse|sag|cor|tra|ax|2d|3d|\d)*",
    r"ir ?(?:tse|fse)", r"(?:tse|fse) ?ir", r"turbo ?ir", "tir",
)  # fmt: skip
_FLAIR = _any(rf"{_GLUE}(?:t[12]w?)?flair(?:w|fs|tse|fse|sag|2d|3d)*", r"dark ?fluid")
_SUPPRESSED = _any(
    rf"{_GLUE}(?:(?:t1|t2|pd)w?)?(?:tse|fse|se|sag)*fs", "fsat", "f s", "we", "spair", "spir",
    "chess", "aspir", "proset",
    rf"{_FAT} ?(?:{_SATURATED}|ges|gesae?ttigt|unterdrue?ck(?:t|ung)|free|null(?:ed|ing)?)",
    rf"{_SATURATED} (?:de )?(?:la )?{_FAT}",
    r"water ?(?:exc|excit|excited|excitation|sel|select|selective|selection)", "\u538b\u8102", "\u6291\u8102",
    "\u8102\u80aa\u6291\u5236",
)  # fmt: skip
_NEGATED = re.compile(
    rf"\b(?:no|non|not|ohne|without|w o|wo|sans|sin|pre) (?:fs|{_FAT} ?{_SATURATED}|{_CONTRAST}|gd|km)\b"
)
_FAT_FRACTION = _any(rf"{_FAT} ?(?:frac|fract|fraction|fraktion|fraccion)", "ff", "pdff")
_FAT_IMAGE = _any(_FAT, "\u8102\u50cf")
_WATER_IMAGE = _any("water", "wasser", "eau", "agua", "acqua", "\u6c34\u50cf")
_DIXON = _any(
    r"[emq]*dixon(?:s|w|f|fs|tse|fse|vibe|quant|all|xd|[23]pt|\d)*", "flex", "ideal", "lava", "wfi", "vibe", "[23]pt"
)
_OPPOSED = _any(
    r"oppo?(?! side)", "opposed", "opposee", "opposition", r"(?:oppo?|opposed|out|gegen) ?(?:of )?phases?", "oop"
)
#: Within a Dixon series, single letters and abbreviations name the image.
_OF_DIXON = {"water": _any("w"), "fat": _any("f"), "opposed": _any("op", "out"), "in phase": _any("in", "ip")}
_NOT_ANATOMY = _any(
    # diffusion, perfusion, spectroscopy, vessels, flow
    rf"{_GLUE}dwi(?:bs|s|adc|epi|fs|sag|tra|ax|\d)*", "dti", "dki", "ivim", "diff", "diff?usions?", "diffusione",
    "diff?usao", "diffusionsgewichtete?", "diffusionswichtung", "[ed]?adcs?", "[ed]?adc ?maps?",
    "tracew?", r"b ?(?:50|\d{3,4})", "perf", "perfusions?", "perfusione", "perfusao",
    "perfusions(?:wichtung|gewichtete?)",
    "dce", "dsc", "mrs", "csi", "spectro", "spectra", "spe[ck]tros[ck]op(?:y|ie)", "espectroscopia", "spettroscopia",
    "mra", "angios?", "angiogra(?:ms?|mm|mme|phy|phie)", "angiografia", "tof", r"csf ?flow", "cine",
    # gradient echoes with T2* contrast; no name begins with T2*
    r"t2\*\w*", r"t2 ?star(?:w|map|maps)?", "star", "swi", "swan", "swip", "gre", "fgre", "ffe", "mffe",
    "flash", "medic", "merge", "cosmic", "mpgr",
    # computed images and pictures; the scanner calls a subtraction SUB, whatever it is of
    "maps?", r"[tr][12] ?map(?:s|ping)?", "mapping", "mapit", "qsm", r"r2 ?(?:star|\*)", "mips?", "minip", "subs?",
    "subtr", "subs?tra[ck]t(?:ed|ions?)?", "su[bs]tracc?ion", "subtracao", "sottrazione", "soustractions?",
    "m[yi]elo", "myelogra(?:ms?|mm|mme|phy|phie|phic)", "mielogra(?:fia|ma)", "myelografie", "mrm",
    r"screen ?(?:shot|save)s?", r"scr ?save", r"pos ?disp", "report",
    # for the scanner itself
    "cal", "[ck]alib", "[ck]alibrations?", "[ck]alibrier(?:ung|en)", "calibra(?:ge|te|cion|zione|cao)",
    r"sense ?ref(?:erence|s)?", r"ref ?(?:scan|sense)", r"b[01] ?maps?", r"pre ?scans?(?! norm)",
    r"coil ?(?:survey|sens|sense|sensitivit(?:y|ies)|refs?|reference)",
    "\u5f25\u6563", "\u6269\u6563", "\u704c\u6ce8", "\u6821\u51c6", "\u6c34\u6210\u50cf",
    end=_NUMBERED,
)  # fmt: skip
#: A T2 image called dynamic is of a bent spine; any other is of the flow of contrast agent.
_DYNAMIC = _any("dyn", "d[yi]nami[ck]s?", "d[iy]namique", "d[iy]namis(?:ch|che)", "dinamic[ao]")
#: Alone these name a scan for the scanner or for planning; beside a weighting, how an image was made or what for.
_SHIM, _PLANNING = _any("shim", "shimming"), _any("planning", "planung")
_LOCALISER = _any(
    r"(?:sag|ax|cor|spine|[ctl]|3pl?)?locs?",
    "lo[ck]ali[sz](?:e|ers?|ator|ations?|atie|ateur|ador|adores|acion|acao|ierung)", "localizza(?:tore|zione)",
    "scouts?(?:views?)?", "surveys?", "pilote?s?(?! (?:study|studie|etude|project|trial))",
    "scano", "scanogra(?:ms?|mas?|mm|mmes?|phy|phie)", "topogra(?:ms?|mm|mmes?|mma)",
    r"(?:3|tri|three|drei|multi) ?pl(?:ane?s?|n)?", "reperage", "u?e?bersicht(?:en|saufnahmen?|sbild|sbilder)?",
    "suchschnitte?n?", "\u5b9a\u4f4d",
    end=_NUMBERED,
)  # fmt: skip
_REFORMAT = _any(
    "mprs?", "reformat(?:s|ted|ting|iert|ierung|ion|ions)?", "rfmt", "cpr", "curved",
    "reko(?:s|n|nstruktion|nstruktionen|nstruiert)?", "\u91cd\u5efa",
)  # fmt: skip
_COMPOSED = _any(
    "compos(?:e|ed|ee|er|ing|ite|ition)?", "(?<!flow )comp(?! sense)", "stitch(?:ed|ing)?", r"mobi ?view", "pasted",
    "pasting", "fused", "zusammenges(?:etzte?)?", "\u62fc\u63a5",
)  # fmt: skip
_SINGLE_SHOT = _any("haste", "ssfse", "ssh", r"ssh?tse", r"single ?shot", "fase")
_NOT_OF_CONTRAST = (
    r"(?: ?(?:op|operation|operative|operativ|surgery|surgical|trauma|traumatic|treatment|rt|xrt|radiation|chemo|fusion"
    r"|laminectomy|discectomy|biopsy))\b"
)
_AFTER_CONTRAST = re.compile(
    rf"\+ ?c\b|\bc ?\+|\b(?:gd|gado?|gadolini(?:um|o)|gad[ao]vist|gadobutrol|gadoter(?:ate?|ic)|km"
    rf"|post(?!{_NOT_OF_CONTRAST})|inj|inject(?:ed|ee?|ion)|injiziert|injektion|inyeccion|inyectado|iniezione"
    rf"|{_CONTRAST}|dotarem|magnevist)\b|\u589e\u5f3a"
)
_PARTS = {
    "upper": _any("cerv", "cerc", "[cz]ervi[ck]al(?:e|es|is)?(?:spine)?", "cervi[ck]o", "cervi(?:co)?thora[ck]i?[ck]",
                  "cervicodorsale?", "hws", r"c ?sp(?:ine)?", "upper", "oben", "top", "haut", "superior",
                  "hals(?:mark|wirbelsae?ule)?", "\u9888\u690e"),
    "middle": _any("thora?", "thorac", "thoracic(?:spine)?", "thora[ck]ale?", "thoracique", "thorax", "thora[ck]o",
                   "thoracol(?:umbar|umbal|ombaire)", "dors", "dorsal(?:e|es|is)?", "dorso", "dorsol(?:umbar|ombaire)",
                   "bws", r"t ?sp(?:ine)?", "mids?", "middle", "midspine", "mitte", "\u80f8\u690e"),
    "lower": _any("lumb", "lumb(?:ar|al|ale|ales|ares|aires?|alis)(?:spine)?", "lumbo", "lumbosa[ck]r(?:al|a|o|um)",
                  "lomb", "lombaires?", "lombar[ei]?", "lombo", "lombosacr(?:e|ee|al|ale)", "lws", r"l ?sp(?:ine)?",
                  "lower", "unten", "bottom", "bas", "inferior", "\u8170\u690e"),
}  # fmt: skip
_STATION = re.compile(r"\b(?:station|stage|stack|part|teil|segment) ?(\d)\b")


@dataclass(frozen=True)
class Description:
    """What a description states.

    :ivar weightings: which of ``T2``, ``T1``, ``PD`` are named.
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
def read_description(description: str) -> Description:
    """Return what a description states."""
    text = _NEGATED.sub(" ", in_words(description))
    without_suppression = _SUPPRESSED.sub(" ", text)
    dixon = _dixon(without_suppression)
    weightings = tuple(name for name, pattern in _WEIGHTINGS.items() if pattern.search(text))
    is_stir = bool(_STIR.search(text))
    is_weighted = bool(weightings) or is_stir
    return Description(
        weightings=weightings,
        stir=is_stir,
        flair=bool(_FLAIR.search(text)),
        suppressed=without_suppression != text,
        dixon=dixon,
        not_anatomy=bool(
            _NOT_ANATOMY.search(text)
            or _FAT_FRACTION.search(text)
            or ("T2" not in weightings and _DYNAMIC.search(text))
            or (not is_weighted and _SHIM.search(text))
        ),
        localiser=bool(_LOCALISER.search(text) or (not is_weighted and _PLANNING.search(text))),
        reformat=bool(_REFORMAT.search(text)),
        composed=bool(_COMPOSED.search(text)),
        single_shot=bool(_SINGLE_SHOT.search(text)),
        after_contrast=bool(_AFTER_CONTRAST.search(text)),
        parts=frozenset(name for name, pattern in _PARTS.items() if pattern.search(text)) | set(_STATION.findall(text)),
    )


def in_words(description: str) -> str:
    """Return the lower case words without accents, a space between them: first as written, then divided at their seams.

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
    """Return which image of a Dixon series a text names, suppression left out of it."""
    if _OPPOSED.search(text):
        return "opposed"
    named = [name for name, one in (("water", _WATER_IMAGE), ("fat", _FAT_IMAGE)) if one.search(text)]
    if not named and _DIXON.search(text):
        named = [name for name, pattern in _OF_DIXON.items() if pattern.search(text)]
    return named[0] if len(named) == 1 else ""
