"""`spinemeasure dicom fetch|push` against a real archive (Orthanc), on a good network and on bad ones."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("highdicom")
client_module = pytest.importorskip("dicomweb_client.web", reason="the extra 'dicomweb' is not installed")

from SpineMeasureLib.io.dicom.web import PASSWORD, TOKEN, USER  # noqa: E402
from SpineMeasureLib.io.read import read_volume  # noqa: E402
from Testing.library import orthanc  # noqa: E402
from Testing.library.dicom_study import IDENTITY, write_study  # noqa: E402

LOGIN = {USER: orthanc.USER, PASSWORD: orthanc.PASSWORD}
pytestmark = pytest.mark.skipif(bool(orthanc.why_missing()), reason=orthanc.why_missing())


@dataclass(frozen=True)
class Stored:
    """The sample as a study in an archive."""

    port: int
    files: Path
    study: str

    def url(self, port: int | None = None) -> str:
        return f"http://127.0.0.1:{port or self.port}/dicom-web"

    def client(self) -> object:
        """A client of the test's own."""
        import requests

        session = requests.Session()
        session.auth = (orthanc.USER, orthanc.PASSWORD)
        return client_module.DICOMwebClient(self.url(), session)


def command(*arguments: object, **environment: str) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of a process without any proxy on the way to this computer."""
    line = [sys.executable, "-m", "SpineMeasureLib.cli", *map(str, arguments)]
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return line, {**kept, "COLUMNS": "200", **(environment or LOGIN)}


def spinemeasure(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    line, variables = command(*arguments, **environment)
    return subprocess.run(line, capture_output=True, text=True, check=False, env=variables)


@pytest.fixture(scope="module")
def archive(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    folder = tmp_path_factory.mktemp("archive")
    files = write_study(folder / "study", read_volume(sample_folder / "lumbar_t2.nii.gz"))
    uid = pydicom.dcmread(next(files.iterdir()), stop_before_pixels=True).StudyInstanceUID
    with orthanc.running(folder) as port:
        stored = Stored(port, files, str(uid))
        done = spinemeasure("dicom", "push", stored.url(), *sorted(files.iterdir()))
        assert done.returncode == 0, done.stderr
        yield stored


def images(folder: Path) -> dict[str, bytes]:
    """Pixel data of each complete image, by UID."""
    read = [pydicom.dcmread(path) for path in folder.glob("*") if path.suffix != ".part"]
    return {str(image.SOPInstanceUID): image.PixelData for image in read}


def test_a_study_is_found_fetched_measured_and_its_results_stored(
    archive: Stored, sample_folder: Path, tmp_path: Path
) -> None:
    listed = spinemeasure("dicom", "fetch", archive.url(), "--accession", "ACC-9981")
    assert listed.returncode == 0, listed.stderr
    assert archive.study in listed.stdout and "MR spine" in listed.stdout and "20250301" in listed.stdout
    fetched = spinemeasure("dicom", "fetch", archive.url(), "--patient-id", "PID-4711", "-o", tmp_path / "study")
    assert fetched.returncode == 0, fetched.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["study"]
    assert images(tmp_path / "study") == images(archive.files)

    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    case = tmp_path / "case"
    done = spinemeasure("measure", tmp_path / "study", "-o", case, "--labels", labels, "--dicom")
    assert done.returncode == 0, done.stderr
    pushed = spinemeasure("dicom", "push", archive.url(), case)
    assert pushed.returncode == 0, pushed.stderr
    client = archive.client()
    series = {e["00080060"]["Value"][0]: e["0020000E"]["Value"][0] for e in client.search_for_series(archive.study)}
    assert sorted(series) == ["MR", "SEG", "SR"]
    for modality, name in (("SEG", "segmentation.dcm"), ("SR", "measurements.dcm")):
        (there,) = client.retrieve_series(archive.study, series[modality])
        assert there == pydicom.dcmread(case / name)

    again = spinemeasure("dicom", "fetch", archive.url(), "--study", archive.study, "-o", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    assert images(tmp_path / "again") == images(archive.files)
    hidden = {*IDENTITY, orthanc.PASSWORD} - {"20250301"}  # dates of studies are listed to choose by
    for printed in (listed, fetched, pushed, again):
        assert not [word for word in hidden if word in printed.stdout + printed.stderr]


def test_a_network_that_breaks_loses_nothing_and_the_next_call_goes_on(archive: Stored, tmp_path: Path) -> None:
    whole = images(archive.files)
    half = sum(map(len, whole.values())) // 2
    asked = ("--study", archive.study, "-o", tmp_path / "study", "--retries", 1)
    with orthanc.network(archive.port, half) as bad:
        done = spinemeasure("dicom", "fetch", archive.url(bad.port), *asked)
    assert done.returncode == 50
    kept = images(tmp_path / "study.partial")
    assert [p.name for p in tmp_path.iterdir()] == ["study.partial"]
    assert 0 < len(kept) < len(whole) and kept.items() <= whole.items()
    assert f"{len(kept)} of {len(whole)} images are kept in study.partial" in done.stderr
    assert "Traceback" not in done.stderr
    assert [line.partition(":")[0] for line in done.stderr.splitlines() if line.strip()] == ["Note", "Error"]

    written = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "study.partial").iterdir()}
    done = spinemeasure("dicom", "fetch", archive.url(), *asked)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["study"]
    assert images(tmp_path / "study") == whole
    assert {name: (tmp_path / "study" / name).stat().st_mtime_ns for name in written} == written


def test_a_connection_that_breaks_once_is_tried_again(archive: Stored, tmp_path: Path) -> None:
    with orthanc.network(archive.port, 1_000_000, then="healed") as bad:
        asked = ("--study", archive.study, "-o", tmp_path / "study", "--retries", 2)
        done = spinemeasure("dicom", "fetch", archive.url(bad.port), *asked)
    assert done.returncode == 0, done.stderr
    assert images(tmp_path / "study") == images(archive.files)


def test_results_that_did_not_arrive_are_told_and_can_be_sent_again(archive: Stored) -> None:
    first, second, *_ = sorted(archive.files.iterdir())
    with orthanc.network(archive.port, 300) as bad:
        done = spinemeasure("dicom", "push", archive.url(bad.port), first, second, "--retries", 0)
    assert done.returncode == 50
    assert "of 2 objects were stored" in done.stderr
    assert spinemeasure("dicom", "push", archive.url(), first, second).returncode == 0
    assert len(archive.client().search_for_instances(archive.study, search_filters={"Modality": "MR"})) == len(
        list(archive.files.iterdir())
    )


def test_a_cancelled_fetch_leaves_only_whole_images(archive: Stored, tmp_path: Path) -> None:
    whole = images(archive.files)
    with orthanc.network(archive.port, 1_000_000, then="stalled") as slow:
        line, environment = command(
            "dicom", "fetch", archive.url(slow.port), "--study", archive.study, "-o", tmp_path / "study"
        )
        process = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        end = time.monotonic() + 240
        while len(list((tmp_path / "study.partial").glob("*.dcm"))) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=240)
    assert process.returncode == 130, printed
    assert [p.name for p in tmp_path.iterdir()] == ["study.partial"]
    kept = images(tmp_path / "study.partial")
    assert len(kept) >= 2 and kept.items() <= whole.items()
    assert {p.suffix for p in (tmp_path / "study.partial").iterdir()} == {".dcm"}
    assert f"{len(kept)} of {len(whole)} images are kept" in printed


@pytest.mark.parametrize(
    ("login", "said"),
    [({}, "rejected the login"), ({USER: orthanc.USER, PASSWORD: "wrong-word"}, "rejected the login")],
    ids=["none", "wrong"],
)
def test_a_refused_login_says_what_to_set_and_no_password(
    archive: Stored, login: dict[str, str], said: str, tmp_path: Path
) -> None:
    asked = ("--study", archive.study, "-o", tmp_path / "study")
    done = spinemeasure("dicom", "fetch", archive.url(), *asked, **{USER: "", **login})
    assert done.returncode == 51
    assert said in done.stderr and PASSWORD in done.stderr
    assert "wrong-word" not in done.stderr + done.stdout
    assert not list(tmp_path.iterdir())


def test_a_token_is_sent_as_bearer_and_not_printed(archive: Stored) -> None:
    with orthanc.network(archive.port, 10**9) as relay:
        done = spinemeasure("dicom", "fetch", archive.url(relay.port), "--study", archive.study, **{TOKEN: "t0ken"})
        assert b"Authorization: Bearer t0ken\r\n" in relay.received
    assert done.returncode == 51
    assert "t0ken" not in done.stderr + done.stdout


def test_what_is_not_there_is_told(archive: Stored, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "study")
    for asked, said in (
        (("--study", "1.2.3"), "no matching study"),
        (("--study", archive.study, "--series", "1.2.3"), "no such series"),
    ):
        done = spinemeasure("dicom", "fetch", archive.url(), *asked, *out)
        assert (done.returncode, said in done.stderr) == (52, True), done.stderr
    assert spinemeasure("dicom", "push", archive.url(), tmp_path).returncode == 10
    no_service = spinemeasure("dicom", "fetch", f"http://127.0.0.1:{archive.port}/app", "--study", "1.2.3", *out)
    assert no_service.returncode in (50, 52), no_service.stderr
    assert not list(tmp_path.iterdir())


def test_a_study_without_mr_is_told(archive: Stored, tmp_path: Path) -> None:
    volume = read_volume(archive.files)
    small = type(volume)(np.ascontiguousarray(volume.array[:, :, :3]), volume.affine)
    other = write_study(tmp_path / "ct", small, Modality="CT", AccessionNumber="CT-ONLY")
    assert spinemeasure("dicom", "push", archive.url(), *other.iterdir()).returncode == 0
    done = spinemeasure("dicom", "fetch", archive.url(), "--accession", "CT-ONLY", "-o", tmp_path / "out")
    assert done.returncode == 52
    assert "contains no MR series" in done.stderr
    assert not list(tmp_path.glob("out*"))


def test_several_studies_that_fit_are_listed_for_a_choice(archive: Stored, tmp_path: Path) -> None:
    volume = read_volume(archive.files)
    small = type(volume)(np.ascontiguousarray(volume.array[:, :, :3]), volume.affine)
    other = write_study(tmp_path / "other", small, PatientID="PID-2", StudyDate="20240101")
    third = write_study(tmp_path / "third", small, PatientID="PID-2", StudyDate="20230101")
    files = [*other.iterdir(), *third.iterdir()]
    assert spinemeasure("dicom", "push", archive.url(), *files).returncode == 0
    done = spinemeasure("dicom", "fetch", archive.url(), "--patient-id", "PID-2", "-o", tmp_path / "out")
    assert done.returncode == 52
    assert "2 studies match" in done.stderr
    assert 0 < done.stdout.index("20240101") < done.stdout.index("20230101")
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_left_alone(archive: Stored, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    done = spinemeasure("dicom", "fetch", archive.url(), "--study", archive.study, "-o", tmp_path)
    assert done.returncode == 40
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"]


def test_a_certificate_that_nobody_vouches_for_is_refused(archive: Stored, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is not installed (Debian: apt install openssl)")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    extension = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*request, *extension, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    asked: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/dicom+json")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"https://127.0.0.1:{server.server_port}/dicom-web"
        done = spinemeasure("dicom", "fetch", url, "--study", "1.2.3")
        assert done.returncode == 51
        assert "certificate" in done.stderr and not asked
        trusted = {**LOGIN, "REQUESTS_CA_BUNDLE": str(certificate)}
        done = spinemeasure("dicom", "fetch", url, "--study", "1.2.3", **trusted)
        assert done.returncode == 52
        assert asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_login_inside_the_address_is_refused() -> None:
    done = spinemeasure("dicom", "fetch", "https://me:hush@pacs.invalid/dicom-web", "--study", "1.2.3")
    assert done.returncode == 50
    assert USER in done.stderr and "hush" not in done.stderr
