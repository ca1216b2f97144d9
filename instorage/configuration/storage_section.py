"""The list `storage` of the configuration: one entry for each array, with its login."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.configuration import cipher_key, shadow
from instorage.configuration.document import Mapping, Sequence
from instorage.configuration.secret import SealedSecret, Secret
from instorage.configuration.section import Section, bad, plugin_directory
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = (
    "name", "type", "host", "username", "password", "shadow",
    "deviceUsername", "devicePassword", "deviceShadow", "barrierPath", "sshLegacy",
)  # fmt: skip
_NAME = re.compile(r"[^/\x00-\x1f\s.][^/\x00-\x1f]{0,62}")
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?"
)
CREDENTIALS = Path("/etc/instorage")  # from where the units' LoadCredential= takes them
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True)
class StorageSettings:
    """One array of type AS18000: where its command line is reached, and as whom."""

    name: str
    address: str  # IPv4, IPv6 (without brackets) or a host name
    port: int
    username: str
    password: Secret
    barrier_directory: Path
    clear_text: bool  # the password stands in the file
    ssh_legacy: bool = False  # the array's SSH may use SHA-1

    @property
    def type(self) -> str:
        """Return the kind of array."""
        return "AS18000"


def read_storage(top: Section, key_file: Path) -> tuple[StorageSettings, ...]:
    """Return the arrays, at least one, their names unique; raise `Fault` else."""
    node = top.present("storage")
    if not isinstance(node, Sequence) or not node.items:
        top.fail("storage", "must be a list with one array at least: see ext-sample-18000-cfg")
    found: dict[str, StorageSettings] = {}
    for section in _sections(top, node):
        one = _read_one(section, key_file)
        if one.name in found:
            section.fail(
                "name", f"{one.name!r} stands there a second time: each array needs a name of its own"
            )
        for other in found.values():
            if (other.address, other.port) == (one.address, one.port):
                section.warn("host", f"is also that of {other.name}: one array should have one entry")
        found[one.name] = one
    return tuple(found.values())


def _sections(top: Section, node: Sequence) -> Iterator[Section]:
    for number, item in enumerate(node.items):
        if not isinstance(item, Mapping):
            raise bad(
                top.file, item.line, f"storage[{number}] must be a group of keys that begins with - name:"
            )
        yield Section(top.file, f"storage[{number}]", item, top.warnings)


def _read_one(section: Section, key_file: Path) -> StorageSettings:
    section.refuse_unknown(KEYS)
    name = section.needed("name", "storage-01")
    if not _NAME.fullmatch(name):
        section.fail("name", "must have 1 to 63 characters, no slash, and not begin with a dot")
    _check_type(section, name)
    address, port = _address(section)
    password, clear_text = _password(section, name, key_file)
    return StorageSettings(
        name=name,
        address=address,
        port=port,
        username=section.needed("username", "superuser"),
        password=password,
        barrier_directory=plugin_directory(section.file) / (section.concrete("barrierPath") or "."),
        clear_text=clear_text,
        ssh_legacy=section.flag("sshLegacy", default=False),
    )


def _check_type(section: Section, name: str) -> None:
    kind = section.text("type")
    if kind is None:
        section.warn("type", "is missing and taken as AS18000: write type: AS18000")
    elif kind.upper() == "AS13000":
        raise Fault(
            Code.NOT_SUPPORTED,
            f"{section.file}: the array {name} has type AS13000, which this version does not support yet: "
            "remove this entry, or use an AS18000.",
            file=str(section.file),
            key=section.label("type"),
        )
    elif kind.upper() != "AS18000":
        section.fail("type", f"is {kind[:40]!r}: write AS18000")


def _address(section: Section) -> tuple[str, int]:
    text = section.needed("host", "10.0.0.1:22")
    address, colon, port = text.rpartition(":")
    mend = "write IP:port, for example 10.0.0.1:22 or [fd00::1]:22"
    if not colon or not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        section.fail("host", f"has no port: {mend}")
    bracketed = address.startswith("[") and address.endswith("]")
    bare = address[1:-1] if bracketed else address
    try:
        parsed = ipaddress.ip_address(bare)
    except ValueError:
        if bracketed or not _HOST_NAME.fullmatch(bare):
            section.fail("host", f"is no address: {mend}")
        return bare.lower(), int(port)
    if (parsed.version == 6) != bracketed:
        section.fail("host", f"has an IPv6 address without brackets, or an IPv4 address in brackets: {mend}")
    return str(parsed), int(port)


def _password(section: Section, name: str, key_file: Path) -> tuple[Secret, bool]:
    """Return the password, and whether it stands in the file: `password`, a systemd credential, `shadow`."""
    plain = section.text("password")
    if plain is not None:
        if section.concrete("shadow") is not None:  # the manual's order (3.3), which an eye passes over
            section.warn("shadow", "is not used, for password stands beside it: remove the line password")
        return Secret(plain), True
    credential = _credential(section, name)
    if credential is not None:
        return credential, False
    cipher = section.concrete("shadow")
    if cipher is None:
        section.fail("password", f"is missing: {_mend(name)}")
    return _opened(section, "".join(cipher.split()), key_file), False


def _opened(section: Section, cipher: str, key_file: Path) -> Secret:
    """Open a shadow; what cannot be opened says why when it is used."""
    with contextlib.suppress(Fault):
        password = shadow.decrypt(cipher, Secret(""))
        what = "is of a vendor's build without a cipher key, so anybody can open it: make a new one"
        section.warn("shadow", what)
        return password
    try:
        return shadow.decrypt(cipher, cipher_key.read_key(key_file))
    except Fault as fault:  # the rest of the file is good, and another array's login may be (manual, 4.4)
        said = f"cannot be used: {fault.sentence.rstrip('.')}"
        section.warn("shadow", said)
        sentence = f"{section.file}: {section.label('shadow')} {said}."
        return SealedSecret(Fault(fault.code, sentence, file=str(section.file)))


def _mend(name: str) -> str:
    source = f"{CREDENTIALS}/{name}.password"
    if os.access(source, os.F_OK):
        return f"{source} is there, give it to this service with LoadCredential={name}.password:{source}"
    return "add password, or shadow with the output of ext-encrypt-password"


def _credential(section: Section, name: str) -> Secret | None:
    """Return what LoadCredential= gave this service; programs that are none read its source."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(given or CREDENTIALS) / f"{name}.password"
    try:
        return Secret(path.read_text(encoding="utf-8").rstrip("\r\n")) or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError) and not given:
            return None
        section.fail(
            "password", f"cannot be read from the credential {path}: it must be a readable UTF-8 file"
        )
