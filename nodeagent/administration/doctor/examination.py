"""All checks at the same time, each with its deadline: one that hangs or breaks off hides no other."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.administration.doctor import (
    arrays,
    comparison,
    initiator,
    kubelet,
    multipath,
    plugin,
    portals,
    restart,
    selinux,
    services,
    tools,
    writing,
)
from nodeagent.administration.doctor.arrays_child import WAITED, ArraysChild
from nodeagent.administration.doctor.host import Host, setup
from nodeagent.administration.doctor.looks import Looks
from nodeagent.diagnosis.finding import Finding, Severity, Who

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from instorage.configuration.settings import Configuration
    from nodeagent.host.paths import Paths

    Check = Callable[[Host], Iterator[Finding]]

CHECKS: Mapping[str, Check] = {
    "tools": tools.check,
    "services": services.check,
    "configuration": plugin.configuration,
    "plugin": plugin.plugin,
    "multipath": multipath.check,
    "initiator": initiator.check,
    "fc": initiator.fibre_channel,
    "arrays": arrays.check,
    "protection": arrays.protection,
    "portals": portals.check,
    "clock": services.clock,
    "kubelet": kubelet.check,
    "log": writing.log_files,
    "room": writing.room,
    "selinux": selinux.check,
    "lease": services.lease,
    "volumes": comparison.check,
}
"""In the order in which findings are shown: what explains the others comes first."""
NEEDING_ARRAYS = ("initiator", "arrays", "protection", "portals", "volumes")
DEADLINE_SECONDS = 45.0


@dataclass(frozen=True)
class Examination:
    """What was found, by whom it was looked for, in how many seconds; `hanging`: checks that did not end."""

    host: Host
    findings: tuple[Finding, ...]
    seconds: float
    hanging: tuple[str, ...] = ()


@contextlib.contextmanager
def this_node(paths: Paths, root: Path, volume: str = "", *, arrays_too: bool = True) -> Iterator[Host]:
    """Give this node for examination; its arrays are asked by a child that ends with the block."""
    from instorage.configuration.settings import load

    found: Configuration | None = None
    fault = ""
    try:
        found = load(paths.configuration)
    except Fault as error:
        fault = error.sentence
    looks = Looks(root)
    told = setup(paths, found, fault)
    looks.answer("setup", told.to_json)
    looks.answer(restart.BARRIERS, lambda: _barriers(paths, found))
    child = ArraysChild(found, initiator.ports(looks)) if found and arrays_too else None
    try:
        yield Host(looks, told, child, volume)
    finally:
        if child is not None:
            child.close()


def _barriers(paths: Paths, found: Configuration | None) -> list[str]:
    from nodeagent.expansion import barrier

    places = barrier.paths(found) if found else (paths.plugin / barrier.NAME,)
    return [str(path) for path in places]


def examine(
    host: Host, names: tuple[str, ...] = tuple(CHECKS), seconds: float = DEADLINE_SECONDS
) -> Examination:
    """Run the checks of those names; findings come in the order of `CHECKS`."""
    began = time.monotonic()
    found: dict[str, list[Finding]] = {}
    threads = {
        name: threading.Thread(target=_run, args=(name, host, found), name=f"check-{name}", daemon=True)
        for name in names
    }
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(began + seconds - time.monotonic(), 0))
    hanging = tuple(name for name in names if name not in found)
    shown = [one for name in names for one in found.get(name, [_hangs(name, seconds)])]
    return Examination(host, tuple(dict.fromkeys(shown)), time.monotonic() - began, hanging)


def _run(name: str, host: Host, found: dict[str, list[Finding]]) -> None:
    """Make a check; what it found before it broke off is kept."""
    found[name] = list(_findings(name, host))


def _findings(name: str, host: Host) -> Iterator[Finding]:
    try:
        yield from CHECKS[name](host)
    except Fault as fault:
        told_elsewhere = name in NEEDING_ARRAYS and fault.code is Code.TIMEOUT and WAITED in fault.fields
        severity = Severity.OK if told_elsewhere else Severity.WARNING
        sentence = f"The check «{name}» was not made to its end: {fault.sentence}"
        yield Finding(name, "not-seen", severity, sentence, proof=str(fault.code))
    except OSError as error:
        sentence = f"The check «{name}» was not made to its end: {error.filename}: {error.strerror}."
        severity = Severity.WARNING if host.looks.whole else Severity.OK
        mend = "" if host.looks.whole else "sudo instoragectl doctor"
        yield Finding(name, "not-seen", severity, sentence, command=mend, proof=str(error.filename))
    except Exception as error:  # a defect of one check hides no other
        what = f"{type(error).__name__}: {error}"
        sentence = f"The check «{name}» broke off by a defect of instoragectl ({what})."
        mend = "report it, with the output of «instoragectl bundle»"
        yield Finding(name, "defect", Severity.WARNING, sentence, who=Who.NOBODY, command=mend)


def _hangs(name: str, seconds: float) -> Finding:
    return Finding(
        name, "look-hangs", Severity.WARNING, f"The check «{name}» did not end within {seconds:g} s.",
        cause="A file system, a device or a program of this node does not answer.",
        command="ps -eo pid,stat,wchan:30,comm | grep ' D'", proof="this process",
    )  # fmt: skip
