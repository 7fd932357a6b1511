"""A DICOM archive reached over DICOMweb (PS3.18): search (QIDO), retrieve (WADO), store (STOW).

Every request is retried with growing pauses; a lasting failure is reported in one sentence. Certificates are
always verified, and neither names nor passwords are part of any message.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from ...errors import ArchiveAccessError, ArchiveError, ArchiveStudyError, DependencyError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: Environment variables with the login: user and password, or a bearer token.
USER, PASSWORD, TOKEN = (f"SPINEMEASURE_DICOMWEB_{name}" for name in ("USER", "PASSWORD", "TOKEN"))
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_TIMEOUT_S = (10.0, 60.0)  # to connect, between two packets
#: HTTP status codes that may be gone a moment later.
_PASSING = (408, 429, 500, 502, 503, 504)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class FoundStudy:
    """A study that fits a query. Names no patient."""

    uid: str
    date: str
    description: str
    modalities: str


@dataclass(frozen=True)
class ImageAddress:
    """The address of an image in the archive."""

    study: str
    series: str
    instance: str


def pauses(retries: int) -> tuple[float, ...]:
    """Return the seconds to wait before each further attempt: each twice the one before."""
    return tuple(min(_FIRST_PAUSE_S * 2**n, _LONGEST_PAUSE_S) for n in range(retries))


class Archive:
    """A DICOMweb service.

    :param url: its root, such as ``https://pacs.example/dicom-web``.
    :param pauses: seconds to wait before each further attempt of a request; empty for a single attempt.
    :raises ArchiveError: the address is not a web address.
    :raises DependencyError: dicomweb-client is not installed.
    """

    def __init__(self, url: str, pauses: tuple[float, ...]) -> None:
        try:
            from dicomweb_client.web import DICOMwebClient
        except ImportError as error:
            raise DependencyError(
                f"DICOMweb needs the package '{error.name}', which is not installed.",
                "Install it with: pip install 'spinemeasure[dicomweb]'.",
            ) from error
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ArchiveError("The address of the archive is not a web address.", "Use the form https://host/path.")
        if parts.username or parts.password:
            raise ArchiveError("The address of the archive contains a login.", f"Set {USER} and {PASSWORD} instead.")
        self._pauses = pauses
        self._client = DICOMwebClient(
            url.rstrip("/"), _session(), headers={"Accept": "application/dicom+json"}, timeout=_TIMEOUT_S
        )
        # The client's own retries would treat a cancellation as a failure.
        self._client.set_http_retry_params(retry=False)
        self.is_encrypted = parts.scheme == "https"

    def find_studies(self, **query: str) -> list[FoundStudy]:
        """Return the studies that match, newest first.

        :param query: DICOM keyword to value: ``AccessionNumber="A1"``, ``PatientID="7"``.
        """
        fields = ["StudyDescription", "ModalitiesInStudy"]

        def search(offset: int | None) -> list[dict[str, Any]]:
            return self._client.search_for_studies(search_filters=query, fields=fields, offset=offset)

        found = [
            FoundStudy(
                str(e.StudyInstanceUID),
                str(e.get("StudyDate") or ""),
                str(e.get("StudyDescription") or ""),
                _joined(e.get("ModalitiesInStudy")),
            )
            for e in self._all(search, "StudyInstanceUID")
        ]
        return sorted(found, key=lambda study: study.date, reverse=True)

    def find_images(self, study: str, series: str | None = None) -> list[ImageAddress]:
        """Return the images of the MR series of a study, or of one series.

        :raises ArchiveStudyError: there is no such study or series, or no MR in it.
        """
        entries = self._all(lambda offset: self._client.search_for_series(study, offset=offset), "SeriesInstanceUID")
        chosen = [
            e
            for e in entries
            if (str(e.SeriesInstanceUID) == series if series else str(e.get("Modality") or "").strip().upper() == "MR")
        ]
        if not chosen:
            if entries and not series:
                raise ArchiveStudyError(
                    "The study contains no MR series.", "Choose another study, or specify a series."
                )
            raise ArchiveStudyError(f"The archive has no such {'series' if entries else 'study'}.", "Check the UID.")
        found = []
        for e in chosen:
            uid = str(e.SeriesInstanceUID)
            instances = self._all(partial(self._instances, study, uid), "SOPInstanceUID")
            found += [ImageAddress(study, uid, str(i.SOPInstanceUID)) for i in instances]
        if not found:
            raise ArchiveStudyError("The archive lists no image of this study.", "Ask its administrator.")
        return found

    def _instances(self, study: str, series: str, offset: int | None) -> list[dict[str, Any]]:
        return self._client.search_for_instances(study, series, offset=offset)

    def retrieve(self, image: ImageAddress) -> Dataset:
        """Retrieve one image as it is stored, in its transfer syntax."""
        dataset = self._ask(lambda: self._client.retrieve_instance(image.study, image.series, image.instance))
        if dataset.SOPInstanceUID != image.instance:
            raise ArchiveError(
                "The archive sent a different image from the one requested.", "Report this to its administrator."
            )
        return dataset

    def store(self, dataset: Dataset) -> None:
        """Store one object. Storing it again changes nothing.

        :raises ArchiveAccessError: the archive does not accept it.
        """
        answer = self._ask(lambda: self._client.store_instances([dataset]))
        failed = answer.get("FailedSOPSequence") or []
        if failed:
            reason = f"reason {int(failed[0].get('FailureReason') or 0):#06x}"
            raise ArchiveAccessError(f"The archive did not accept the object ({reason}).", "Ask its administrator.")

    def _all(self, search: Callable[[int | None], list[dict[str, Any]]], identifier: str) -> list[Dataset]:
        """All results of a search, page by page, each once."""
        found: dict[str, Dataset] = {}
        while True:
            offset = len(found) or None
            page = self._ask(partial(_datasets, search, offset))
            new = {str(e[identifier].value): e for e in page if str(e[identifier].value) not in found}
            if not new:
                return list(found.values())
            found |= new

    def _ask(self, request: Callable[[], Answer]) -> Answer:
        for pause in (*self._pauses, None):
            try:
                return request()
            except Exception as error:
                problem = _problem_of(error)
                if problem is None:
                    raise
                if pause is None or not problem.is_passing:
                    raise problem.error from error
            time.sleep(pause)
        raise AssertionError("unreachable")


@dataclass(frozen=True)
class _Problem:
    """The error for the user, and whether another attempt may help."""

    error: ArchiveError
    is_passing: bool


def _problem_of(error: Exception) -> _Problem | None:
    """Explain an exception of a request; None if it is unrelated, such as a cancellation."""
    import requests
    from pydicom.errors import InvalidDicomError

    if isinstance(error, requests.exceptions.SSLError):
        hint = "Set REQUESTS_CA_BUNDLE to the certificates of your hospital."
        return _Problem(ArchiveAccessError("The certificate of the archive cannot be verified.", hint), False)
    if isinstance(error, requests.exceptions.HTTPError) and error.response is not None:
        return _status(error.response.status_code)
    if isinstance(error, (requests.exceptions.JSONDecodeError, InvalidDicomError, KeyError, ValueError)):
        return _Problem(ArchiveError("There is no DICOMweb service at this address.", "Check the address."), False)
    if isinstance(error, (requests.exceptions.RequestException, OSError, EOFError)):
        hint = "Check the address and the network, then run the same command again."
        return _Problem(ArchiveError("The archive cannot be reached, or the connection was interrupted.", hint), True)
    return None


def _status(code: int) -> _Problem:
    if code in (401, 403):
        hint = f"Set {USER} and {PASSWORD}, or {TOKEN}."
        return _Problem(ArchiveAccessError("The archive rejected the login.", hint), False)
    if code == 404:
        return _Problem(
            ArchiveStudyError("The archive has nothing at this address.", "Check the address and the UID."), False
        )
    if code in _PASSING:
        hint = "Run the same command again later."
        return _Problem(ArchiveError(f"The archive is unavailable (HTTP status {code}).", hint), True)
    return _Problem(
        ArchiveAccessError(f"The archive rejected the request (HTTP status {code}).", "Ask its administrator."), False
    )


def _session() -> Any:
    """Make a session with the login of the environment. An explicit login takes precedence over a .netrc."""
    import requests

    session = requests.Session()
    user, password, token = (os.environ.get(name) for name in (USER, PASSWORD, TOKEN))
    if token:
        session.auth = _Bearer(token)
    elif user:
        session.auth = (user, password or "")
    return session


class _Bearer:
    """Adds a token to a request (RFC 6750)."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _datasets(search: Callable[[int | None], list[dict[str, Any]]], offset: int | None) -> list[Dataset]:
    """Return one page of results, read from DICOM JSON."""
    from pydicom.dataset import Dataset

    return [Dataset.from_json(entry) for entry in search(offset)]


def _joined(value: Any) -> str:
    return value if isinstance(value, str) else "/".join(map(str, value or ()))
