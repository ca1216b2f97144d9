"""multipath's configuration against the manual's (3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.administration import multipath_check, multipath_conf
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host


def check(host: Host) -> Iterator[Finding]:
    """Find a blacklist that hides the array's disks, and what multipathd has in force otherwise."""
    yield from _files(host)
    ran = host.looks.run("multipathd", "show", "config")
    if ran is None or ran.status or not ran.out.strip():
        return  # «services» says that it does not run
    for one in multipath_check.judged(ran.out, _wwids(host)):
        yield Finding(
            "multipath", one.code, Severity.ERROR if one.serious else Severity.OK, one.sentence,
            risk="A pod hangs, or fails, when all paths are gone for a moment." if one.serious else "",
            command=one.mend, proof="multipathd show config",
        )  # fmt: skip


def _wwids(host: Host) -> list[str]:
    """Return the WWIDs of volumes that are here, as far as one may know."""
    try:
        return [f"3{uid}" for uid in host.records()]
    except OSError:
        return []


def _files(host: Host) -> Iterator[Finding]:
    files: list[tuple[str, str]] = []
    for place in map(str, multipath_conf.PLACES):
        try:
            names = [f"{place}/{name}" for name in host.looks.names(place) if name.endswith(".conf")]
        except NotADirectoryError:
            names = [place]
        for name in names:
            try:
                files.append((name, host.looks.text(name)))
            except FileNotFoundError:
                continue
    for sentence in multipath_conf.hiding(files):
        yield Finding(
            "multipath", "multipath-blacklist", Severity.ERROR, sentence,
            risk="Such a volume has one path, or is refused.",
            command="multipathd reconfigure, once corrected",
            proof=", ".join(name for name, _ in files),
        )  # fmt: skip
