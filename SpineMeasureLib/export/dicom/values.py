"""Correcting or rejecting values that DICOM does not allow (PS3.5 6.2)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable

#: Unicode, whatever the images use: names of reviewers and sources of references have any letters.
CHARACTERS = "ISO_IR 192"
#: Longest values in characters; of PN, of each of its component groups.
_LONGEST = {"AE": 16, "CS": 16, "SH": 16, "LO": 64, "PN": 64, "ST": 1024, "LT": 10240, "UT": 1 << 20, "UC": 1 << 20}
#: Enumerated values of attributes of patient and study (PS3.3 C.7.1.1, C.7.2.2).
_ENUMERATED = {
    "PatientSex": ("M", "F", "O"),
    "PatientIdentityRemoved": ("YES", "NO"),
    "QualityControlSubject": ("YES", "NO"),
    "SmokingStatus": ("YES", "NO", "UNKNOWN"),
    "PatientSexNeutered": ("ALTERED", "UNALTERED"),
    "TypeOfPatientID": ("TEXT", "RFID", "BARCODE"),
    "LossyImageCompression": ("00", "01"),
}
#: Placeholder of bytes that are not in the stated character set.
_UNREADABLE = "\ufffd"
_SEXES = {"MALE": "M", "FEMALE": "F", "OTHER": "O"}
_LONGEST_UID, _LONGEST_DS, _LARGEST_IS = 64, 16, 2**31 - 1
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", re.ASCII)


def is_uid(text: str) -> bool:
    """Whether a text is a UID."""
    return len(text) <= _LONGEST_UID and bool(_UID.fullmatch(text))


def corrected(keyword: str, vr: str, text: str) -> str | None:
    """A single value in valid form; None if there is no valid form of it.

    :param vr: value representation of the attribute.
    :param text: the value as text, backslashes that separate values left out.
    """
    text = text.strip(" \0")
    if not text:
        return ""
    if vr in _LONGEST:
        return _TEXTS.get(vr, _plain)(keyword, vr, text)
    return _KINDS[vr](text) if vr in _KINDS else None


def _plain(keyword: str, vr: str, text: str) -> str | None:
    breaks = "\r\n\t\f" if vr in ("ST", "LT", "UT") else ""
    clean = "".join(c if c.isprintable() or c in breaks else " " for c in text.replace(_UNREADABLE, "?")).strip()
    return clean[: _LONGEST[vr]].rstrip()


def _code_string(keyword: str, vr: str, text: str) -> str | None:
    text = text.upper()
    text = _SEXES.get(text, text) if keyword == "PatientSex" else text
    if not re.fullmatch(r"[A-Z0-9 _]{1,16}", text) or text not in _ENUMERATED.get(keyword, (text,)):
        return None
    return text


def _name(keyword: str, vr: str, text: str) -> str | None:
    groups = []
    for group in text.split("=")[:3]:
        parts = [_plain(keyword, vr, part) or "" for part in group.split("^")[:5]]
        groups.append("^".join(parts)[: _LONGEST["PN"]].rstrip("^ "))
    return "=".join(groups).rstrip("=")


def _date(text: str) -> str | None:
    found = re.fullmatch(r"(\d{4})([-./ ]?)(\d{2})\2(\d{2})", text, re.ASCII)
    if not found:
        return None
    year, _, month, day = found.groups()
    try:
        return datetime.date(int(year), int(month), int(day)).strftime("%Y%m%d").zfill(8)
    except ValueError:
        return None


def _time(text: str) -> str | None:
    found = re.fullmatch(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d+))?)?)?", text, re.ASCII)
    if not found:
        return None
    hours, minutes, seconds, fraction = found.groups()
    if int(hours) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 59:
        return None
    return hours + (minutes or "") + (seconds or "") + (f".{fraction[:6]}" if fraction else "")


def _age(text: str) -> str | None:
    found = re.fullmatch(r"(\d{1,3}) ?([YMWD])[A-Z]*", text.upper(), re.ASCII)
    return f"{int(found[1]):03d}{found[2]}" if found else None


def _whole_number(text: str) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return str(int(number)) if number.is_integer() and abs(number) <= _LARGEST_IS else None


def _decimal(text: str) -> str | None:
    from pydicom.valuerep import format_number_as_ds

    if len(text) <= _LONGEST_DS and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII):
        return text
    try:
        return format_number_as_ds(float(text.replace(",", ".")))
    except ValueError:  # not a number, not finite
        return None


_TEXTS: dict[str, Callable[[str, str, str], str | None]] = {"CS": _code_string, "PN": _name}
_KINDS: dict[str, Callable[[str], str | None]] = {
    "DA": _date,
    "TM": _time,
    "AS": _age,
    "IS": _whole_number,
    "DS": _decimal,
    "UI": lambda text: text if is_uid(text) else None,
}
