"""The vendor's provisioner under the unit of its manual (4.5), whose name is an alias of ours.

What the unit is started with is looked for and taken along; one that is started in a way that ours is not
stays what it is, and the administrator is told.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from installer import services, units, vendor
from installer.host import executable, processes, run, there

if TYPE_CHECKING:
    from pathlib import Path

    from installer.files import Files
    from installer.host import Host
    from installer.journal import Journal
    from installer.saying import Refusals

UNIT: Final = "inspur-instorage-provisioner.service"
PROGRAM: Final = "instorage-provisioner"
WANTED: Final = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"
PLACES: Final = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")  # the first counts
ELF: Final = b"\x7fELF"
ACCESS: Final = ("kubeconfig", "kubefconfig")
ARRAYS: Final = "strconfig"
LOGS: Final = (
    "logtostderr", "alsologtostderr", "log_dir", "log_backtrace_at", "stderrthreshold", "v", "vmodule"
)  # fmt: skip
ALONE: Final = ("logtostderr", "alsologtostderr", "insecure")  # flags that stand without a value
ANSWER: Final = 20  # seconds


@dataclass(frozen=True)
class Unit:
    """Its files, the first in force; the file of each kind that it is started with; what ours has not."""

    files: tuple[str, ...]
    kubeconfig: str
    configuration: str
    others: tuple[str, ...]

    def wanted(self, host: Host, journal: Journal) -> bool:
        """Whether it is to run."""
        enabled = there(journal.former(WANTED))
        return enabled or (host.boots and services.is_active(UNIT))


def theirs(program: Path) -> bool:
    """Whether a provisioner's program is none of ours, which are scripts."""
    if not program.is_file():
        return False
    with program.open("rb") as file:
        return file.read(len(ELF)) == ELF


def find(journal: Journal) -> Unit | None:
    """Return the unit that is there, or was there before a run that was broken off."""
    files = [place for place in (f"{one}/{UNIT}" for one in PLACES) if _own(journal.former(place))]
    if not files:
        return None
    text = journal.former(files[0]).read_text(errors="replace")
    found = re.findall(r"^ExecStart=((?:.*\\\n)*.*)", text, re.MULTILINE)
    given = _flags(shlex.split(found[-1].replace("\\\n", " "))[1:]) if found else {}
    others = tuple(f"-{name}={given[name]}" for name in given if name not in (*ACCESS, ARRAYS, *LOGS))
    folder = found[-1].split()[0].lstrip("-@+!:").rpartition("/")[0] if found else ""
    return Unit(
        files=tuple(files),
        kubeconfig=next((given[name] for name in ACCESS if name in given), ""),
        configuration=given.get(ARRAYS) or f"{folder}/{vendor.CONFIGURATION}",
        others=others,
    )


def _own(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()  # a link is the alias of ours


def _flags(words: list[str]) -> dict[str, str]:
    """Return the flags of a command line as Go reads them: -name=value, -name value, -name."""
    found: dict[str, str] = {}
    while words:
        name, equals, value = words.pop(0).lstrip("-").partition("=")
        if not equals and name not in ALONE and words:
            value = words.pop(0)
        found[name] = value
    return found


def look(refusals: Refusals, host: Host, journal: Journal, folder: str, program: Path) -> None:
    """Say what is taken over, and refuse what cannot be; `program` is ours, in the archive."""
    unit = find(journal)
    had = journal.former(f"{folder}/{PROGRAM}")
    if unit is None and not theirs(had):
        return
    lines = [f"The vendor's provisioner {vendor.version(host, had, '-about')} is taken over:"]
    if theirs(had):
        lines.append(f"{folder}/{PROGRAM}: kept as {PROGRAM}{vendor.ASIDE}")
    for source in (unit.configuration, unit.kubeconfig) if unit else vendor.configuration(host, folder):
        lines.append(f"{source}: stays as it is; the provisioner's group may read it")
    for place in unit.files if unit else ():
        lines.append(f"{place}: gives way to {PROGRAM}.service, which has its name too; kept in {folder}")
    vendor.tell(lines)
    if unit:
        _look_at_unit(refusals, host, unit, folder)
        _look_at_configuration(refusals, host, unit, program)
    if host.live:
        _look_for_strays(refusals)


def _look_at_unit(refusals: Refusals, host: Host, unit: Unit, folder: str) -> None:
    mend = (
        f"stop it, take it away (systemctl disable --now {UNIT}; rm {' '.join(unit.files)}; systemctl "
        f"daemon-reload), and write what ours needs into a drop-in (systemctl edit {PROGRAM})."
    )
    if unit.others:
        flags = " ".join(unit.others)
        refusals.add(f"{unit.files[0]} starts it with {flags}, as ours is not started: {mend}")
    for drop_in in sorted(host.path(units.DROP_INS).glob(f"{UNIT}.d/*.conf")):
        refusals.add(f"{drop_in} would count for our unit too, which has that name: move it away.")
    for source, name in taken(unit):
        target = host.path(f"{folder}/config/{name}")
        if not source or not host.path(source).is_file():
            refusals.add(f"{unit.files[0]} names no {name} that is there ({source or 'none'}): {mend}")
        elif target.is_file() and target.read_bytes() != host.path(source).read_bytes():
            refusals.add(f"{source}, by which the vendor's provisioner works, and {target} differ: {mend}")


def _look_at_configuration(refusals: Refusals, host: Host, unit: Unit, program: Path) -> None:
    path = host.path(unit.configuration)
    if host.live and path.is_file():
        done = run(str(program), "ext-check-cfg", str(path), errors=True, limit=ANSWER)
        vendor.judge(refusals, done)


def _look_for_strays(refusals: Refusals) -> None:
    """Two provisioners do not see each other: what the unit does not end has to be ended first."""
    main = services.shown("MainPID", UNIT)
    for process in (path.name for path in processes()):
        name = executable(process).removesuffix(" (deleted)").rpartition("/")[2]
        if name == PROGRAM and process != main:
            refusals.add(
                f"the vendor's provisioner runs as process {process}, not by {UNIT}: end it "
                f"(kill {process}), and what starts it."
            )


def taken(unit: Unit) -> tuple[tuple[str, str], ...]:
    """Return each file that it is started with, and its name in our configuration."""
    return ((unit.configuration, "instorage.yaml"), (unit.kubeconfig, "kubeconfig"))


def carry(files: Files, unit: Unit, folder: str) -> None:
    """Have what it is started with in our folder, where it may lie already."""
    files.make_directory(f"{folder}/config", 0o755)
    for source, name in taken(unit):
        # Not a link: what it leads to may be hidden from our service, and is not ours to let it read.
        files.carry(files.host.path(source).resolve(), f"{folder}/config/{name}")


def give_way(files: Files, unit: Unit, folder: str) -> None:
    """Take the unit away; a copy stays in our folder."""
    former = files.journal.former(unit.files[0])
    files.write(f"{folder}/{UNIT}{vendor.ASIDE}", 0o644, former)
    for place in (*unit.files, WANTED):
        files.discard(place)
