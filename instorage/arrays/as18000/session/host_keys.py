"""Pinning of the array's SSH host key: taken on first use, refused when it changes (security.md).

The file has OpenSSH's known_hosts format: an administrator can read, fill and mend it with ssh-keygen.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from paramiko.hostkeys import HostKeys

from instorage import durable_file
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    import paramiko

    from instorage.arrays.endpoint import Endpoint

LOCK_PATIENCE = 5.0  # seconds; the lock is held for one read and one write


@dataclass(frozen=True)
class Pin:
    """A line of the file (`line` counts from 1) with the key of one array; `key` is base64."""

    line: int
    kind: str
    key: str

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint as ssh-keygen prints it, or what is wrong with the line."""
        try:
            return fingerprint(base64.b64decode(self.key, validate=True))
        except ValueError:
            return "a malformed key"


def fingerprint(blob: bytes) -> str:
    """Return «SHA256:...» as OpenSSH prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


class HostKeyFile:
    """The known_hosts file of this installation. Several processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def kinds(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Return the types of the pinned keys: these are asked of the array, so that they can be compared."""
        return tuple(pin.kind for pin in self._pins(endpoint))

    def check(self, endpoint: Endpoint, key: paramiko.PKey) -> None:
        """Return if `key` is pinned, pin it if none is; else ARRAY_HOST_KEY."""
        try:
            with self._locked():
                pins = list(self._pins(endpoint))
                if not pins:
                    self._append(f"{_host(endpoint)} {key.get_name()} {key.get_base64()}\n")
                    return
        except OSError as error:
            raise Fault(
                Code.ARRAY_HOST_KEY,
                f"The SSH host key of array {endpoint.name} cannot be compared with {self._path}: "
                f"{error.strerror}. Let this program's user read and write that file and its directory.",
                array=endpoint.name,
                file=str(self._path),
            ) from error
        if not any((pin.kind, pin.key) == (key.get_name(), key.get_base64()) for pin in pins):
            raise self._changed(endpoint, pins[0], key)

    def _changed(self, endpoint: Endpoint, pin: Pin, key: paramiko.PKey) -> Fault:
        shown = fingerprint(key.asbytes())
        return Fault(
            Code.ARRAY_HOST_KEY,
            f"Array {endpoint.name} ({endpoint.place}) shows the SSH host key {key.get_name()} {shown}, but "
            f"{pin.kind} {pin.fingerprint} was pinned: the array was replaced, or somebody stands between. "
            f"If the new key is right, remove line {pin.line} of {self._path}.",
            array=endpoint.name,
            pinned=pin.fingerprint,
            shown=shown,
            file=str(self._path),
            line=pin.line,
        )

    def _pins(self, endpoint: Endpoint) -> Iterator[Pin]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        for number, line in enumerate(text.split("\n"), start=1):
            words = line.split()
            if words and not words[0].startswith(("#", "@")) and _names(words[0], _host(endpoint)):
                # a damaged line counts as a key that differs: else it would be pinned anew in silence
                yield Pin(number, *(words[1:3] if len(words) > 2 else ("?", "?")))

    def _locked(self) -> _Lock:
        return _Lock(self._path.with_name(f".{self._path.name}.lock"))

    def _append(self, line: str) -> None:
        before = self._path.read_text(encoding="utf-8", errors="replace") if self._path.exists() else ""
        if before and not before.endswith("\n"):
            before += "\n"
        descriptor, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(before + line)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        durable_file.sync_directory(self._path.parent)


class _Lock:
    """An flock on a file beside: the known_hosts file itself is replaced by rename."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + LOCK_PATIENCE
        try:
            while not self._try():
                if time.monotonic() > deadline:
                    raise TimeoutError(errno.ETIMEDOUT, f"another process holds {self._path}")
                time.sleep(0.01)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _host(endpoint: Endpoint) -> str:
    return endpoint.address if endpoint.port == 22 else f"[{endpoint.address}]:{endpoint.port}"


def _names(field: str, host: str) -> bool:
    if field.startswith("|1|"):
        try:
            return HostKeys.hash_host(host, field) == field
        except (ValueError, IndexError):
            return False
    return host in field.split(",")
