"""Tools and their versions, against the table of `versions`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodeagent.administration.versions import TABLE, Wanted, older
from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

CHECK = "tools"


def check(host: Host) -> Iterator[Finding]:
    """Find tools that are missing, too old, or old enough to need care (open-iscsi's manual scan)."""
    for one in TABLE:
        if not (one.name == "open-iscsi" and host.setup.link == "fc"):
            yield from _judged(host, one)


def _judged(host: Host, one: Wanted) -> Iterator[Finding]:
    ran = host.looks.run(*one.argv)
    proof = " ".join(one.argv)
    if ran is None:
        sentence = f"{one.name} is not installed."
        needed = one.needed or "service is started"
        severity = Severity.WARNING if one.name in ("xfsprogs", "e2fsprogs") else Severity.ERROR
        yield Finding(
            CHECK, "tool-missing", severity, sentence, risk=f"Without it no {needed}.", command=one.mend,
            proof=f"{one.argv[0]} is in none of /usr/sbin, /sbin, /usr/bin, /bin",
        )  # fmt: skip
        return
    said = re.search(one.said, ran.text)
    version = said[1] if said and re.search(r"\d", said[1]) else ""
    if not version:
        sentence = f"{one.argv[0]} does not say which {one.name} this is; {one.oldest} or later is wanted."
        severity = Severity.WARNING if host.looks.whole else Severity.OK  # others are not told by every tool
        yield Finding(CHECK, "tool-unknown", severity, sentence, command=one.mend, proof=proof)
    elif older(version, one.oldest):
        sentence = f"{one.name} {version} is here, and {one.oldest} or later is wanted."
        yield Finding(CHECK, "tool-old", Severity.ERROR, sentence, command=one.mend, proof=proof)
    elif one.better and older(version, one.better):
        sentence = f"{one.name} {version} is here, and {one.better} or later is wanted."
        yield Finding(
            CHECK, "tool-limited", Severity.WARNING, sentence, cause=f"{one.but[0].upper()}{one.but[1:]}.",
            risk="Every volume that is mapped to this node gets devices, also those that no pod here uses.",
            command=one.mend, proof=proof,
        )  # fmt: skip
