"""multipath's configuration against the manual's (3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.administration import multipath_conf
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host


def check(host: Host) -> Iterator[Finding]:
    """Find a blacklist that hides the array's disks."""
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
