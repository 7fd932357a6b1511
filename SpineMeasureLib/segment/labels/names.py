"""Which structure of the spine a segment is, by its name or its coded type. Every word of a name must be known."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from functools import lru_cache

from ...anatomy import VERTEBRA_ORDER as VERTEBRAE
from ...anatomy import Kind, all_structures, disc_name
from ...errors import LevelNameError
from ..naming.levels import parse_disc

#: Kind and level of a structure. The level is empty for canal and cord, and for several vertebrae or discs in one.
What = tuple[Kind, str]


class Beside(Enum):
    """A segment that is not a structure to measure."""

    SPINE = "the whole spine"
    OTHER = "another structure"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DISC = _words(
    "DISC DISCS DISK DISKS IVD IVDS INTERVERTEBRAL INTERVERTEBRALE INTERVERTEBRALIS DISCUS DISQUE DISQUES DISCO DISCOS"
    " BANDSCHEIBE BANDSCHEIBEN ZWISCHENWIRBELSCHEIBE ZWISCHENWIRBELSCHEIBEN"
)
_BODY = _words(
    "VERTEBRA VERTEBRAE VERTEBRAS VERTEBRAL VERTEBRE VERTEBRES VERT BODY BODIES CORPUS CORPORA BORDER"
    " WIRBEL WIRBELKORPER WIRBELKOERPER"
)
_BEHIND = _words(
    "POSTERIOR ARCH ARCHES ARCUS LAMINA LAMINAE SPINOUS SPINOSUS TRANSVERSE COSTAL PEDICLE PEDICLES FACET FACETS"
    " ARTICULAR WIRBELBOGEN DORNFORTSATZ"
)
#: Words that only qualify posterior elements.
_OF_BEHIND = _words("ELEMENT ELEMENTS PROCESS PROCESSES NEURAL LEFT RIGHT SUPERIOR INFERIOR JOINT JOINTS")
_CANAL = _words("CANAL CANALIS SAC SACK THECA DURALSACK DURASACK SPINALKANAL WIRBELKANAL CSF LIQUOR")
_CORD = _words("CORD MEDULLA MYELON RUCKENMARK RUECKENMARK CONUS MEDULLARIS")
_SACRUM = _words("SACRUM SACRUMS KREUZBEIN")
_WHOLE = _words("SPINE COLUMN COLUMNA BACKBONE WIRBELSAULE WIRBELSAEULE")
#: Words that are allowed beside those that name a structure.
_FILL = _words(
    "SPINAL SPINALIS DURAL THECAL VERTEBRALIS LUMBAR THORACIC CERVICAL SACRAL DORSAL OS LABEL SEG SEGMENTATION MASK"
    " STRUCTURE OF THE AND AT BETWEEN BONE ALL LENDENWIRBEL BRUSTWIRBEL HALSWIRBEL"
)
#: A segment with one of these words is another structure, whatever level it names.
_OTHER = _words(
    "BACKGROUND AIR SKIN FAT MUSCLE MUSCLES PSOAS MULTIFIDUS ERECTOR LIGAMENT LIGAMENTUM FLAVUM NERVE NERVES ROOT ROOTS"
    " ROOTLETS FORAMEN FORAMINA ENDPLATE ENDPLATES LESION LESIONS TUMOR TUMOUR METASTASIS METASTASES FRACTURE"
    " HERNIATION PROTRUSION EXTRUSION BULGE OEDEMA EDEMA MODIC CYST HAEMANGIOMA HEMANGIOMA SYRINX OSTEOPHYTE SCREW"
    " IMPLANT CAGE COCCYX RIB RIBS HIP ILIUM PELVIS FEMUR STERNUM SCAPULA CLAVICULA SKULL BRAIN BRAINSTEM AORTA ARTERY"
    " VEIN VENA IVC KIDNEY LIVER SPLEEN STOMACH BLADDER HEART LUNG COLON BOWEL PANCREAS TRACHEA PROSTATE UTERUS"
)
_REGIONS = {
    "CERVICAL": "C", "THORACIC": "T", "DORSAL": "T", "LUMBAR": "L", "SACRAL": "S",
    "HALSWIRBEL": "C", "BRUSTWIRBEL": "T", "LENDENWIRBEL": "L",
}  # fmt: skip
_PREFIXES = {"LWK": "L", "LW": "L", "BWK": "T", "BW": "T", "TH": "T", "HWK": "C", "HW": "C", "SWK": "S", "D": "T"}
_ORDINALS = (
    "FIRST", "SECOND", "THIRD", "FOURTH", "FIFTH", "SIXTH", "SEVENTH", "EIGHTH", "NINTH", "TENTH", "ELEVENTH",
    "TWELFTH", "THIRTEENTH",
)  # fmt: skip
_NAMES = "|".join(_REGIONS)
_COUNTED = re.compile(rf"\b({'|'.join(_ORDINALS)}|\d{{1,2}})(?:ST|ND|RD|TH)? ({_NAMES})\b")
_NUMBERED = re.compile(rf"\b({_NAMES})(?: (VERTEBRAE?))? (\d{{1,2}})\b")
_ONE = re.compile(r"(LWK|LW|BWK|BW|TH|HWK|HW|SWK|[CTLSD])0?(\d{1,2})")
_PAIR_OF_DIGITS = re.compile(r"([CTL])(\d)(\d)")
#: Further codes, not in `anatomy.py`, of a single structure or a kind: PS3.16 CID 7603, 7604, 7605.
_FURTHER_CODES: dict[str, What] = {
    "75782005": (Kind.DISC, "L5-S1"),
    "51282000": (Kind.BODY, ""),
    "40265002": (Kind.POSTERIOR, ""),
    "89340005": (Kind.POSTERIOR, ""),
    "55678000": (Kind.POSTERIOR, ""),
    "73400003": (Kind.POSTERIOR, ""),
    "78972004": (Kind.POSTERIOR, ""),
    "280401006": (Kind.CANAL, ""),
}


def structure_of_name(name: str) -> What | None:
    """The single structure that a name means; None for several in one, other structures, and unknown names.

    >>> structure_of_name("vertebrae_L4"), structure_of_name("L4/5 disc")
    ((<Kind.BODY: 'vertebra'>, 'L4'), (<Kind.DISC: 'disc'>, 'L4-L5'))
    >>> structure_of_name("psoas L4") is None
    True
    """
    what = meaning_of_name(name)
    return what if isinstance(what, tuple) and is_single(what) else None


def is_single(what: What) -> bool:
    """Whether it is one structure, not several vertebrae or discs in one segment."""
    return bool(what[1]) or what[0] in (Kind.CANAL, Kind.CORD)


def is_dural_sac(name: str) -> bool:
    """Whether a name of the canal means the dural sac, not the whole bony canal."""
    return bool(_read(name)[0] & _words("SAC SACK THECA DURALSACK DURASACK DURAL THECAL"))


def meaning_of_name(name: str) -> What | Beside | None:
    """The meaning of a name; None if it has none or contains an unknown word."""
    words, levels = _read(name)
    if words & _OTHER:
        return Beside.OTHER
    if words - _DISC - _BODY - _BEHIND - _OF_BEHIND - _CANAL - _CORD - _SACRUM - _WHOLE - _FILL:
        return None
    if words & _OF_BEHIND and not words & _BEHIND and "NEURAL" not in words:
        return None
    if len(levels) == 2:
        return _of_two(levels, words)
    if words & (_CANAL | _CORD | _SACRUM):
        return _of_one_kind(words) if not levels or words & _SACRUM else None
    if len(levels) == 1:
        return _of_level(levels[0], words)
    return _of_none(words) if not levels else None


def _of_two(levels: list[str], words: frozenset[str]) -> What | Beside | None:
    if words & (_BODY - {"VERTEBRAL"}) - _words("VERTEBRA VERTEBRAE") or words & (_BEHIND | _CANAL | _CORD | _WHOLE):
        return None
    if words & _BODY and not words & _DISC and "BETWEEN" not in words:
        return None  # "vertebrae L4-L5" are two vertebrae
    if levels[0][0] == levels[1][0] == "S":
        return Beside.OTHER  # between the parts of the sacrum
    try:
        return Kind.DISC, disc_name(*parse_disc("-".join(levels)))
    except LevelNameError:
        return None


def _of_level(level: str, words: frozenset[str]) -> What | None:
    if words & (_DISC | _WHOLE):
        return None
    if level[0] == "S":
        return Kind.SACRUM, "S1"
    return (Kind.POSTERIOR if words & _BEHIND or "NEURAL" in words else Kind.BODY), level


def _of_one_kind(words: frozenset[str]) -> What | None:
    kinds = [
        what
        for own, what in (
            (_CANAL, (Kind.CANAL, "")), (_CORD, (Kind.CORD, "")), (_SACRUM, (Kind.SACRUM, "S1"))
        )
        if words & own
    ]  # fmt: skip
    return kinds[0] if len(kinds) == 1 and not words & (_DISC | _BEHIND | _WHOLE) else None


def _of_none(words: frozenset[str]) -> What | Beside | None:
    """The meaning of a name without a level: several structures in one."""
    if words & _BEHIND:
        return (Kind.POSTERIOR, "") if not words & _DISC else None
    if words & _DISC:
        return Kind.DISC, ""
    if words & _WHOLE:
        return Beside.SPINE
    return (Kind.BODY, "") if words & _BODY or words & _words("LENDENWIRBEL BRUSTWIRBEL HALSWIRBEL") else None


def _read(name: str) -> tuple[frozenset[str], list[str]]:
    """Words of a name in plain capitals without its levels, and the levels (``"L4"``), each once."""
    text = re.sub(r"\.(nii(\.gz)?|nrrd|mha|stl|obj)$", "", name.strip(), flags=re.IGNORECASE)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).upper()
    text = unicodedata.normalize("NFKD", text).encode("ascii", "replace").decode().replace("?", "")
    text = " ".join(re.split(r"[\W_]+", text)).strip()
    text = _COUNTED.sub(lambda found: f"{_REGIONS[found[2]]}{_number(found[1])}", text)
    text = _NUMBERED.sub(lambda found: f"{_REGIONS[found[1]]}{found[3]} {found[2] or ''}", text)
    text = re.sub(r"\b(LWK|LW|BWK|BW|HWK|HW|SWK|TH) (?=\d)", r"\1", text)
    levels: list[str] = []
    words: list[str] = []
    dorsal = False
    for word in text.split():
        found = _levels_of(word, levels)
        if found is None:
            words.append(word)
        else:
            dorsal = dorsal or word.startswith("D")
            levels += [level for level in found if level not in levels]
    if levels and levels[0][0] == "L" and len(levels) == 1 and _SACRUM & set(words):
        levels, words = [*levels, "S1"], [word for word in words if word not in _SACRUM]
    if dorsal and len(levels) < 2 and not _BODY & set(words):
        words.append("D")  # "D3" may be the third disc
    if not levels:
        words = [word for word in words if not word.isdigit()]  # instances that only have a number
    return frozenset(words), levels


def _number(word: str) -> int:
    return _ORDINALS.index(word) + 1 if word in _ORDINALS else int(word)


def _levels_of(word: str, before: list[str]) -> list[str] | None:
    """Vertebrae that a word names: ``"L4"``, ``"L4L5"``, ``"L45"``; ``"5"`` or ``"S"`` after one of them."""
    if before and word == "S":
        return ["S1"]
    if len(before) == 1 and word.isdigit():
        follows = f"{before[0][0]}{int(word)}"
        return [follows] if int(word) == int(before[0][1:]) + 1 and follows in VERTEBRAE else None
    both = _PAIR_OF_DIGITS.fullmatch(word)
    if both and f"{both[1]}{both[2]}{both[3]}" not in VERTEBRAE:
        return [f"{both[1]}{both[2]}", f"{both[1]}{both[3]}"] if int(both[3]) == int(both[2]) + 1 else None
    parts = _ONE.findall(word)
    if not parts or "".join(found[0] for found in _ONE.finditer(word)) != word:
        return None
    levels = [f"{_PREFIXES.get(prefix, prefix)}{int(number)}" for prefix, number in parts]
    sacral = [f"S{n}" for n in range(1, 6)]
    return levels if all(level in VERTEBRAE or level in sacral for level in levels) else None


def meaning_of_code(value: str) -> What | None:
    """The structure, or kind of structure, that a SNOMED CT code means."""
    return _codes().get(value)


def structure_of_code(value: str) -> What | None:
    """The single structure that a SNOMED CT code means."""
    what = meaning_of_code(value)
    return what if what and is_single(what) else None


@lru_cache(maxsize=1)
def _codes() -> dict[str, What]:
    """Codes that belong to one structure only, and codes of a kind."""
    codes = [s.code.value for s in all_structures()]
    unique = {s.code.value: (s.kind, s.level) for s in all_structures() if codes.count(s.code.value) == 1}
    return _FURTHER_CODES | unique
