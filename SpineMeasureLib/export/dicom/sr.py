"""measurements.dcm: a DICOM Structured Report after PS3.16 TID 1500, one measurement group per level."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import __version__
from ...measure.definitions import SCHEME, definition
from ...measure.placement import placement
from ...measure.types import Acceptance, Measurement
from ...measure.units import UNITS
from ...orientation import LPS_TO_RAS
from ...segmentation import SpineSegmentation
from . import codes
from .source import (
    CHARACTERS,
    DEVICE_UID,
    DicomSource,
    algorithm_of,
    concept,
    equipment,
    missing_package,
    nearest_slice,
    person_name,
)

if TYPE_CHECKING:
    from highdicom.sr import Comprehensive3DSR
    from pydicom.dataset import Dataset

#: Which of the derived series the report is.
_NTH_SERIES = 2
#: As many as in measurements.csv.
_DECIMALS = 4


def make_sr(
    measurements: Sequence[Measurement],
    segmentation: SpineSegmentation,
    source: DicomSource,
    *,
    seg: Dataset | None = None,
    reviewer: str = "",
    organization: str = "",
) -> Comprehensive3DSR:
    """Return a Comprehensive 3D SR (PS3.3 A.35.13) of all measurements.

    Values that are shown first come first at each level.

    Each value is a NUM with quantity and method coded, UCUM unit, the line's end points as SCOORD3D in the frame of
    reference of the images (LPS mm), the image nearest to it, published means as population statistics, and flags. A
    value that a person edited carries "User chosen value" and the automatic one as a property; one that a person
    accepted carries that, with name and time. The algorithm is at the group, or at each automatic value of a group that
    has edited ones. A missing value is a coded evaluation "Measurement failure" with the reason.

    :param seg: the segmentation object that was measured, named as evidence.
    :param reviewer: who accepts the whole case (``Family^Given``); by default the one named reviewer who accepted every
        value. The report is VERIFIED and final then, else UNVERIFIED: edits alone verify nothing.
    :param organization: the reviewer's.
    :raises DependencyError: highdicom is not installed.
    """
    try:
        from highdicom import UID
        from highdicom.sr import Comprehensive3DSR, MeasurementReport
        from pydicom.sr.codedict import codes as standard
    except ImportError as error:
        raise missing_package(error) from error
    reviewer = reviewer or _reviewer_of_all(measurements)
    levels = dict.fromkeys(m.level for m in measurements)
    made = _Maker(segmentation, source)
    ordered = sorted(measurements, key=lambda m: m.second)
    groups = [made.group(level, [m for m in ordered if m.level == level]) for level in levels]
    # highdicom copies and searches the whole tree, which takes two thirds of the time: it gets the report with its
    # first group, and the other groups are added to its result.
    content = MeasurementReport(
        observation_context=_observers(reviewer, organization, equipment(segmentation.provenance)),
        procedure_reported=concept(codes.MRI_PROCEDURE),
        imaging_measurements=groups[:1],
        title=concept(codes.IMAGING_REPORT),
    )
    evidence = [*source.images, *([seg] if seg is not None else [])]
    report = Comprehensive3DSR(
        evidence=evidence,
        content=content[0],
        series_instance_uid=UID(),
        series_number=source.series_number(_NTH_SERIES),
        sop_instance_uid=UID(),
        instance_number=1,
        is_complete=True,
        series_description="SpineMeasure measurements",
        coding_schemes=[_coding_scheme()],
        **_verification(reviewer, organization),
        **equipment(segmentation.provenance),
    )
    report.SpecificCharacterSet = CHARACTERS
    (container,) = (item for item in report.ContentSequence if item.name == standard.DCM.ImagingMeasurements)
    for group in groups[1:]:
        container.ContentSequence.extend(group)
    return report


def _verification(reviewer: str, organization: str) -> dict[str, Any]:
    """Return the attributes of a report that is verified and final, if there is a reviewer."""
    return {
        "is_final": bool(reviewer),
        "is_verified": bool(reviewer),
        "verifying_observer_name": person_name(reviewer) if reviewer else None,
        "verifying_organization": (organization or "Not stated") if reviewer else None,
    }


def _reviewer_of_all(measurements: Sequence[Measurement]) -> str:
    """Return the reviewer who accepted every value; empty if some are not accepted, or there were several reviewers."""
    reviewers = {m.accepted.reviewer if m.accepted else "" for m in measurements if m.value is not None}
    return reviewers.pop() if len(reviewers) == 1 else ""


def _observers(reviewer: str, organization: str, device: dict[str, Any]) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes as standard

    person = None
    if reviewer:
        attributes = sr.PersonObserverIdentifyingAttributes(
            person_name(reviewer), organization_name=organization or None
        )
        person = sr.ObserverContext(standard.DCM.Person, attributes)
    program = sr.DeviceObserverIdentifyingAttributes(
        uid=DEVICE_UID,
        name=f"SpineMeasure {__version__}",
        manufacturer_name=device["manufacturer"],
        model_name=device["manufacturer_model_name"],
        serial_number=device["device_serial_number"],
    )
    return sr.ObservationContext(person, sr.ObserverContext(standard.DCM.Device, program))


def _coding_scheme() -> Any:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return CodingSchemeIdentificationItem(
        designator=SCHEME,
        name=codes.SCHEME_NAME,
        uid=codes.SCHEME_UID,
        responsible_organization="SpineMeasure",
    )


class _Maker:
    """Content items of one report."""

    def __init__(self, segmentation: SpineSegmentation, source: DicomSource) -> None:
        self._segmentation = segmentation
        self._source = source

    def group(self, level: str, measurements: Sequence[Measurement]) -> Any:
        """Return TID 1501 of one level."""
        from highdicom import UID, sr

        by_hand = any(m.is_edited for m in measurements)
        return sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=sr.TrackingIdentifier(UID(), level),
            algorithm_id=None if by_hand else self._algorithm(),
            finding_sites=[sr.FindingSite(concept(codes.group_site(level)))],
            measurements=[self._number(m, by_hand) for m in measurements if m.value is not None],
            qualitative_evaluations=[self._failure(m) for m in measurements if m.value is None],
        )

    def _algorithm(self) -> Any:
        from highdicom import sr

        name, version, parameters = algorithm_of(self._segmentation.provenance)
        return sr.AlgorithmIdentification(name, version, [f"{k}: {v}" for k, v in parameters.items()] or None)

    def _number(self, m: Measurement, by_hand: bool) -> Any:
        """Return TID 300 of one value.

        :param by_hand: whether a person moved lines of the group, so that each value needs its own algorithm.
        """
        from highdicom import sr

        assert m.value is not None
        what = definition(m.quantity, m.method, m.level)
        item = sr.Measurement(
            name=concept(what.concept),
            value=round(float(m.value), _DECIMALS),
            unit=concept(UNITS[m.unit].code),
            algorithm_id=self._algorithm() if by_hand and not m.is_edited else None,
            derivation=concept(codes.MINIMUM) if m.method == "within_5mm" else None,
            finding_sites=[sr.FindingSite(concept(what.site))] if what.site else None,
            method=concept(codes.method_code(m.quantity, m.method, m.level)),
            properties=self._properties(m),
            **self._geometry(m),
        )
        item[0].ContentSequence.extend(_further_properties(m))
        return item

    def _geometry(self, m: Measurement) -> dict[str, Any]:
        from highdicom import sr

        if m.p1 is None or m.p2 is None:
            return {}
        slices = self._segmentation.labels.shape[2]
        k = nearest_slice(self._segmentation.affine, slices, (m.p1, m.p2))
        ends = np.array([m.p1, m.p2]) * np.diag(LPS_TO_RAS)[:3]
        line = sr.CoordinatesForMeasurement3D("POLYLINE", ends, self._source.frame_of_reference)
        image = sr.SourceImageForMeasurement(*self._source.reference(k))
        return {"referenced_images": [image], "referenced_coordinates": [line]}

    @staticmethod
    def _properties(m: Measurement) -> Any:
        from highdicom import sr

        population = None
        if m.reference:
            values = [_num(codes.POPULATION_MEAN, m.reference.mean, m.unit)]
            if m.reference.sd is not None:
                values.append(_num(codes.POPULATION_SD, m.reference.sd, m.unit))
            population = sr.MeasurementStatisticalProperties(values, authority=m.reference.source)
        chosen = concept(codes.USER_CHOSEN) if m.is_edited else None
        if population is None and chosen is None:
            return None
        return sr.MeasurementProperties(selection_status=chosen, measurement_statistical_properties=population)

    @staticmethod
    def _failure(m: Measurement) -> Any:
        """Return a missing value as a coded evaluation: its method, "Measurement failure", and the reason."""
        from highdicom import sr

        name = codes.method_code(m.quantity, m.method, m.level)
        item = sr.QualitativeEvaluation(concept(name), concept(codes.MEASUREMENT_FAILURE))
        children = [_flag(flag) for flag in m.flags if flag != "not_measurable"]
        if m.note:
            children.append(sr.TextContentItem(concept(codes.COMMENT), m.note, "HAS PROPERTIES"))
        if children:
            item[0].ContentSequence = sr.ContentSequence(children)
        return item


def _num(name: codes.Code, value: float, unit: str) -> Any:
    from highdicom.sr import NumContentItem

    return NumContentItem(
        concept(name), round(float(value), _DECIMALS), concept(UNITS[unit].code), relationship_type="HAS PROPERTIES"
    )


def _flag(flag: str) -> Any:
    from highdicom.sr import CodeContentItem

    return CodeContentItem(concept(codes.FLAG), concept(codes.flag_code(flag)), "HAS PROPERTIES")


def _acceptance(accepted: Acceptance) -> Any:
    """Return the acceptance of a value: reviewer and time, if they are known."""
    from highdicom import sr

    item = sr.CodeContentItem(concept(codes.ACCEPTANCE), concept(codes.ACCEPTED), "HAS PROPERTIES")
    known: list[Any] = []
    if accepted.reviewer:
        known.append(
            sr.PnameContentItem(concept(codes.OBSERVER_NAME), person_name(accepted.reviewer), "HAS PROPERTIES")
        )
    if accepted.time:
        known.append(
            sr.DateTimeContentItem(concept(codes.ACCEPTED_AT), datetime.fromisoformat(accepted.time), "HAS PROPERTIES")
        )
    if known:
        item.ContentSequence = sr.ContentSequence(known)
    return item


def _further_properties(m: Measurement) -> list[Any]:
    """Return the properties of a value beyond TID 300, which is extensible: flags, boundary, spread, acceptance ..."""
    from highdicom import sr

    found = [_flag(flag) for flag in m.flags]
    if m.boundary:
        name, value = concept(codes.BOUNDARY), concept(codes.boundary_code(m.boundary))
        found.append(sr.CodeContentItem(name, value, "HAS PROPERTIES"))
    if m.repeatability is not None:
        found.append(_num(codes.REPEATABILITY, m.repeatability, m.unit))
    if m.confidence is not None and m.confidence_kind in codes.CONFIDENCES:
        found.append(_num(codes.CONFIDENCES[m.confidence_kind], m.confidence, "ratio"))
        if m.confidence_tolerance is not None:
            found.append(_num(codes.TOLERANCE, m.confidence_tolerance, "mm"))
    if m.automatic is not None and m.automatic.value is not None:
        found.append(_num(codes.AUTOMATIC_VALUE, m.automatic.value, m.unit))
    if placed := placement(m):
        found.append(sr.TextContentItem(concept(codes.PLACEMENT), placed, "HAS PROPERTIES"))
    if m.accepted is not None:
        found.append(_acceptance(m.accepted))
    if m.note:
        found.append(sr.TextContentItem(concept(codes.COMMENT), m.note, "HAS PROPERTIES"))
    return found
