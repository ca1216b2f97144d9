"""`instoragectl pin`: what the arrays say of themselves becomes all that the helper allows.

Root writes the file, but does not go on the network: each array is asked by a child that has become the
agent's user, and what comes back from it is parsed anew.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import durable_file
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Iqn, Portal, Wwpn
from nodeagent.administration.array import open_array

if TYPE_CHECKING:
    from collections.abc import Iterator

HELPER_CONF = Path("/etc/instorage/helper.conf")
_LIMIT = 1 << 20  # bytes from a child


@dataclass(frozen=True)
class Pins:
    """What is allowed, as `helper.conf` spells it; `targets`: names over iSCSI and WWPNs of FC ports.

    `unknown` are arrays that have no volume yet.
    """

    portals: frozenset[str]
    targets: frozenset[str]
    prefixes: frozenset[str]
    unknown: tuple[str, ...] = ()

    def keys(self) -> dict[str, str]:
        """Return key and value of each line; no prefixes at all while an array's are not known.

        An empty list would allow all: of arrays over Fibre Channel alone no portal is allowed.
        """
        prefixes = frozenset() if self.unknown else self.prefixes
        found = {"allowed_portals": self.portals or frozenset({"none"}), "allowed_targets": self.targets}
        found["allowed_uid_prefixes"] = prefixes
        return {key: " ".join(sorted(values)) for key, values in found.items()}


def pin(configuration: Path, file: Path, *, dry_run: bool) -> Iterator[str]:
    """Ask the arrays, write the file if it changes, yield lines for people."""
    from instorage.configuration.settings import load

    names = [storage.name for storage in load(configuration, need_host=False).storage]
    pins = gathered({name: _asked(configuration, name) for name in names})
    before = _read(file)
    after = changed(before, pins)
    yield from difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(file), str(file), lineterm=""
    )
    for name in pins.unknown:
        yield (
            f"Array {name} has no volume yet, so how its UIDs begin is not known: UIDs are not pinned. "
            "Run this again when it has one."
        )
    if before == after:
        yield f"{file} is as it should be."
    elif not dry_run:
        _write(file, after)
        yield (
            f"{file} is written. The helper reads it at its next start; "
            "at once with: systemctl stop instorage-helper.service (work under way is ended first)."
        )


def gathered(found: dict[str, dict[str, list[str]]]) -> Pins:
    """Join what several arrays said; `Fault(ARRAY_ANSWER)` for one that has no portal."""
    for name, said in found.items():
        if not said["wwpns"] and not (said["portals"] and said["targets"]):
            text = (
                f"Array {name} names no iSCSI portal or no target, and no Fibre Channel port: nothing was "
                "written, all would be refused."
            )
            raise Fault(Code.ARRAY_ANSWER, text, array=name)
    return Pins(
        portals=frozenset(str(Portal.parse(text)) for said in found.values() for text in said["portals"]),
        targets=frozenset(
            name
            for said in found.values()
            for name in (*map(Iqn.parse, said["targets"]), *map(Wwpn.parse, said["wwpns"]))
        ),
        prefixes=frozenset(_prefix(text) for said in found.values() for text in said["prefixes"]),
        unknown=tuple(name for name, said in found.items() if not said["prefixes"]),
    )


def _prefix(text: object) -> str:
    if isinstance(text, str) and re.fullmatch(r"6[0-9a-f]{15}", text, re.ASCII):
        return text
    raise Fault(Code.ARRAY_ANSWER, f"{text!r} is not how a volume's UID begins.")


def changed(text: str, pins: Pins) -> str:
    """Return a `helper.conf` with these pins; every other line stays, comments too."""
    kept: list[str] = []
    dropping, at = False, None
    for line in text.splitlines():
        key = re.match(r"\s*([^=:\s]+)\s*[=:]", line) if not line[:1].isspace() else None
        dropping = bool(key and key[1].lower() in pins.keys()) or (dropping and line[:1].isspace())  # noqa: SIM118
        if not dropping:
            kept.append(line)
        if line.strip() == "[helper]":
            at = len(kept)
    if at is None:
        kept += ["[helper]"]
        at = len(kept)
    lines = [f"{key} = {value}" for key, value in pins.keys().items() if value]
    return "\n".join([*kept[:at], *lines, *kept[at:]]) + "\n"


def _asked(configuration: Path, name: str) -> dict[str, list[str]]:
    """Have a child ask one array; raise the fault that it met."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.close(reading)
            with open(writing, "w", encoding="utf-8") as pipe:
                json.dump(_answer(configuration, name), pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        text = pipe.read(_LIMIT)
    os.waitpid(pid, 0)
    said = json.loads(text or "{}")
    if "portals" not in said:
        raise Fault.from_wire(said or {"code": "internal", "sentence": f"Asking array {name} broke off."})
    return {key: list(said[key]) for key in ("portals", "targets", "wwpns", "prefixes")}


def _answer(configuration: Path, name: str) -> dict[str, object]:
    try:
        with open_array(configuration, name) as array:
            found = array.san_identity()
    except Fault as fault:
        return fault.to_wire()
    portals = [str(portal) for portal in found.portals]
    targets = {"targets": list(found.iqns), "wwpns": list(found.wwpns)}
    return {"portals": portals, **targets, "prefixes": list(found.uid_prefixes)}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(Code.BAD_CONFIGURATION, f"{file} cannot be read: {error}.", file=str(file)) from None


def _write(file: Path, text: str) -> None:
    """Replace the file at once, in a directory that nobody else can change."""
    try:
        facts = file.parent.stat()
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o022:
            raise PermissionError(1, f"{file.parent} belongs to, or can be changed by, somebody else")
        temporary = file.with_name(f".{file.name}.new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with open(descriptor, "w", encoding="utf-8") as written:
            written.write(text)
            written.flush()
            os.fsync(descriptor)
        temporary.rename(file)
        durable_file.sync_directory(file.parent)
    except OSError as error:
        text = f"{file} cannot be written ({error.strerror}): run this as root."
        raise Fault(Code.BAD_CONFIGURATION, text, file=str(file)) from None
