"""A DICOM archive for tests: Orthanc on this computer alone, and a network in front of it that can fail."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "tester", "a-secret-of-the-test"
_STARTS_WITHIN_S = 60


def why_missing() -> str:
    """What is not installed, empty where all is there."""
    if not program():
        return "Orthanc is not installed (Debian: apt install orthanc orthanc-dicomweb)"
    return "" if PLUGIN.exists() else "Orthanc lacks DICOMweb (Debian: apt install orthanc-dicomweb)"


def program() -> str | None:
    """Path of Orthanc, which Debian puts where only root looks."""
    return shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")


@contextmanager
def running(folder: Path) -> Iterator[int]:
    """An empty archive that keeps its data in `folder`; yields its port and stops it in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    configuration = {
        "Name": "Test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(program()), folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield port
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"Orthanc did not start: {log.read_text(errors='replace')[-2000:]}")


class Network:
    """A relay to a server that lets only so many bytes of answers pass.

    :ivar received: what clients sent.
    """

    def __init__(self, target: int, limit: int, *, then: str = "broken") -> None:
        """Start listening.

        :param limit: bytes of answers until something happens.
        :param then: ``"broken"``: closes this and every later connection; ``"healed"``: closes this one alone;
            ``"stalled"``: keeps it open and sends nothing any more.
        """
        self._target, self._left, self._then = target, limit, then
        self.received = b""
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and drop every connection."""
        for one in (self._listener, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._left <= 0 and self._then == "broken":
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                threading.Thread(target=self._upward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._downward, args=(server, client), daemon=True).start()

    def _upward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                self.received += data
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _downward(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(4096):
                with self._lock:
                    before, self._left = self._left, self._left - len(data)
                if self._left > 0 or (before <= 0 and self._then == "healed"):
                    client.sendall(data)
                    continue
                client.sendall(data[: max(before, 0)])
                if self._then != "stalled":
                    break
        if self._then != "stalled" or self._left > 0:
            for one in (client, server):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


@contextmanager
def network(target: int, limit: int, *, then: str = "broken") -> Iterator[Network]:
    """A `Network` that is closed in the end."""
    relay = Network(target, limit, then=then)
    try:
        yield relay
    finally:
        relay.close()
