"""SELinux: our module in the policy, labels, and what was denied (`selinux_check`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.administration import selinux_check
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeagent.administration.doctor.host import Host


def check(host: Host) -> Iterator[Finding]:
    """Find what is not as it should be; that SELinux is off is none."""

    def program(argv: Sequence[str]) -> str | None:
        ran = host.looks.run(argv[0], *argv[1:])
        return ran.out if ran is not None and ran.status == 0 else None

    def ask() -> list[list[str]]:
        kernel, loaded = host.looks.at(selinux_check.KERNEL), host.looks.at(selinux_check.LOADED)
        found = selinux_check.findings(kernel, loaded, program)
        return [[one.sentence, one.command] for one in found if not one.good]

    for sentence, command in host.looks.answer("selinux", ask):
        yield Finding(
            "selinux", "selinux", Severity.WARNING, sentence,
            risk="Our services are confined less than they could be, or denied what they need.",
            command=command, proof=str(selinux_check.KERNEL),
        )  # fmt: skip
