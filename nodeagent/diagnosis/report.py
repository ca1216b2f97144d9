"""What a node's doctor said last: an annotation of its Node object, which `instorage-report` writes.

It is that node's word, in whatever form: what it does not say was not looked at.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeagent.diagnosis.link import age, moment
from nodeagent.diagnosis.objects import at, items

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodeagent.diagnosis.objects import Object

KEY = "instorage.inspur.com/doctor"
"""The annotation."""
OLD_SECONDS = 7200.0  # it is written once an hour
_APART = 300.0  # seconds that the clocks of two machines may be
_NEVER = ("arrays", "protection", "portals", "kubelet", "selinux")
"""Checks that the report's service cannot make, and which say nothing of a volume's paths on its node."""


@dataclass(frozen=True)
class Report:
    """What a node said; `found` None: nothing, or nothing that can be read."""

    node: str
    found: Object | None

    @property
    def findings(self) -> list[Object]:
        """Return the findings that are in it."""
        return items(self.found, "findings")

    @property
    def old(self) -> bool:
        """Say whether it is older than the node writes it, or of no known age."""
        return not -_APART < time.time() - moment(at(self.found, "at")) < OLD_SECONDS

    @property
    def cut_off(self) -> int:
        """Return how many findings there are beyond those in it."""
        return max(self._count("errors") + self._count("warnings") - len(self.findings), 0)

    @property
    def unseen(self) -> list[str]:
        """Return the checks that were not made."""
        said = at(self.found, "unseen")
        return [str(one) for one in said if one not in _NEVER] if isinstance(said, list) else []

    @property
    def status(self) -> int:
        """2 with an error, 1 with a warning or where it is not known, 0 else."""
        severities = [one.get("severity") for one in self.findings]
        if self._count("errors") or "error" in severities:
            return 2
        return int(bool(self.old or self.unseen or severities or self._count("warnings")))

    def paths(self, volume: str) -> tuple[list[str], bool]:
        """Return the codes of what was found of a volume, and whether that is all there is to be found."""
        codes = [str(one.get("code")) for one in self.findings if one.get("volume") == volume]
        looked = at(self.found, "looked")
        seen = isinstance(looked, list) and volume in looked
        return codes, seen and not (self.old or self.cut_off or self.unseen)

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        if self.found is None:
            yield f"{self.node}: no report. On it: systemctl status instorage-report.service"
            return
        when = moment(at(self.found, "at"))
        ago = f", {age(when)} ago" if when else ""
        yield f"{self.node}: {len(self.findings) + self.cut_off} findings{ago}"
        if self.old:
            yield "    That is no news. On it: systemctl status instorage-report.service"
        for one in self.findings:
            yield f"    {one.get('severity')} {one.get('check')}: {one.get('sentence')}"
        if self.cut_off:
            yield f"    {self.cut_off} more are not in the report. On it: instoragectl doctor"
        if self.unseen:
            yield f"    Not looked at: {', '.join(self.unseen)}. On it: instoragectl doctor"

    def _count(self, key: str) -> int:
        said = at(self.found, key)
        return said if isinstance(said, int) and said > 0 else 0


def read(node: Object) -> Report:
    """Return what is said in a Node object."""
    name, text = str(at(node, "metadata", "name")), at(node, "metadata", "annotations", KEY)
    try:
        found = json.loads(str(text or "null"))
    except (ValueError, RecursionError):
        found = None
    return Report(name, found if isinstance(found, dict) else None)


def paths(reports: Iterable[Report], volume: str) -> str | None:
    """Return what the nodes that have a volume say of its paths, all of them; None when there is none.

    Codes, the worst of all nodes; «?» where a node does not know; «ok» when each has looked.
    """
    said = [one.paths(volume) for one in reports]
    if not said:
        return None
    words = [code for codes, _ in said for code in codes]
    words += [] if all(sure for _, sure in said) else ["?"]
    return ",".join(dict.fromkeys(words)) or "ok"
