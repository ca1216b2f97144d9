"""Units, drop-ins, sysusers.d and tmpfiles.d: where they go, and whose they are."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer import places, services
from installer.files import beside, remove, remove_empty
from installer.host import run
from installer.saying import Ending

if TYPE_CHECKING:
    from installer.files import Files
    from installer.host import Host

DIRECTORIES: Final = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
ENABLED: Final = (
    "/etc/systemd/system/multi-user.target.wants/instorage-node.target"  # as systemctl enable has it
)
DROP_INS: Final = "/etc/systemd/system"
NODE: Final = (
    "instorage-node.target", "instorage-nodeagent.service", "instorage-helper.service",
    "instorage-nodeagent.socket", "instorage-nodeagent-plugin.socket", "instorage-helper.socket",
    "instorage-volumes.service", "instorage-report.timer", "instorage-report.service",
)  # fmt: skip
PROVISIONER: Final = "instorage-provisioner.service"
FORMER: Final = ()  # of ours no more: a version that gives a unit up writes its name here
# InStorage is the vendor's word, too: a unit of any other name is somebody else's.
KNOWN: Final = (*NODE, PROVISIONER, *FORMER)
BASES: Final = ("/usr/lib", "/etc")  # of sysusers.d and tmpfiles.d
CATALOG: Final = Path("/usr/lib/systemd/catalog/instorage.catalog")  # of journald: journalctl -x
SHARED: Final = "libsystemd-shared-{}.so"  # beside systemd itself, from 231 on


def directory(host: Host) -> str:
    """Return where units of ours lie, else the first usual one that systemd reads and root can write."""
    for place in _searched(host):
        if any(host.path(f"{place}/{name}").exists() for name in (NODE[0], PROVISIONER)):
            return place
    if not host.live:
        return DIRECTORIES[0]
    read = services.shown("UnitPath").split()
    return next((place for place in DIRECTORIES if place in read and os.access(place, os.W_OK)), "")


def _searched(host: Host) -> tuple[str, ...]:
    """Return where units of ours may lie: below /etc only where the description of a user of ours does.

    Else what lies there under a name of ours is an administrator's (systemctl edit --full).
    """
    described = (f"{BASES[1]}/sysusers.d/instorage-{part}.conf" for part in ("node", "provisioner"))
    return DIRECTORIES if any(host.path(file).exists() for file in described) else DIRECTORIES[:-1]


def base(host: Host) -> str:
    """Return where sysusers.d and tmpfiles.d lie that can be written: below /etc where units do, too."""
    return BASES[directory(host).startswith("/etc/")]


def belongs(unit: str, part: str) -> bool:
    """Whether a unit is of that part: all are the node's but the provisioner's."""
    return (part == "provisioner") is unit.startswith("instorage-provisioner.")


def put(files: Files, source: Path, place: str, part: str) -> None:
    """Put a part's units from the archive's folder; those that a former version had more go."""
    for unit in sorted(source.glob("instorage-*")):
        if belongs(unit.name, part):
            files.write(f"{place}/{unit.name}", 0o644, unit)
    for name in KNOWN:
        if belongs(name, part) and not (source / name).exists():
            files.discard(f"{place}/{name}")
    temporary = source / f"tmpfiles.d/instorage-{part}.conf"
    if temporary.exists():
        files.write(f"{base(files.host)}/{temporary.parent.name}/{temporary.name}", 0o644, temporary)
    catalog = source / "catalog" / CATALOG.name
    if part == "node" and catalog.exists() and base(files.host) == BASES[0]:  # it is read from there alone
        files.write(str(CATALOG), 0o644, catalog)
    older, version = source / "older/put.sh", _of_image(files.host)
    if older.exists() and (version or not files.host.root):  # what the systemd of this host needs besides
        done = run("/bin/sh", str(older), str(files.host.path(place)), *version, errors=True)
        if done.status and files.host.live:  # where an image is made nothing may tell the version
            raise Ending(1, f"{older} did not put what this systemd needs: {done.said}")


def _of_image(host: Host) -> list[str]:
    """Return the version of an image's systemd, by its library's name; nothing when that does not tell."""
    folders = (host.path(f"/{lib}/systemd") for lib in ("usr/lib", "lib"))
    found = (path for folder in folders for path in folder.glob(SHARED.format("*")))
    named = [re.fullmatch(SHARED.format("([0-9]+)"), path.name) for path in found] if host.root else []
    return [one[1] for one in named if one][:1]


def drop_in(files: Files, unit: str, text: str) -> None:
    """Write what the unit cannot take from a variable; no text: it stays as it is delivered."""
    place = f"{DROP_INS}/{unit}.d/places.conf"
    if text:
        files.write(place, 0o644, f"# Written by install.sh: see {places.FILE}.\n{text}\n".encode())
    else:
        files.discard(place)
        remove_empty(files.host.path(place).parent)


def of(host: Host, part: str, named: str = "{}", *, edited: bool = False) -> list[Path]:
    """Return the units of a part that lie on this host; `edited`: an administrator's of that name too."""
    names = [named.format(unit) for unit in KNOWN if belongs(unit, part)]
    searched = DIRECTORIES if edited else _searched(host)
    found = (host.path(f"{place}/{name}") for place in searched for name in names)
    return [unit for unit in found if unit.is_file()]


def remove_all(host: Host, part: str, *, purge: bool) -> None:
    """Take a part's units away; an administrator's own, and his drop-ins, go with `purge` only."""
    for half in of(host, part, ".{}.new"):  # a run was killed before the rename
        remove(half)
    for unit in of(host, part, edited=purge):
        remove(unit)
        for older in Path(f"{unit}.d").glob("older-*.conf"):
            remove(older)
        remove_empty(Path(f"{unit}.d"))
    for folder in (host.path(f"{DROP_INS}/{name}.d") for name in KNOWN if belongs(name, part)):
        if folder.is_dir():
            remove(folder if purge else folder / "places.conf")
            remove_empty(folder)
    for place in (f"{base}/{kind}" for base in BASES for kind in ("sysusers.d", "tmpfiles.d")):
        remove(host.path(f"{place}/instorage-{part}.conf"))
    catalog = host.path(str(CATALOG))
    if part == "node" and (found := [path for path in (catalog, beside(catalog)) if path.exists()]):
        for path in found:  # the other one: a run was killed before the rename
            remove(path)
        services.update_catalog(host)
    services.reload(host)
