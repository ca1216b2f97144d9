"""`instorage-report`: what this node's doctor says, as an annotation of its own Node object.

`kubectl instorage doctor` reads it there. The node's kubelet may change this object and no other node's
(NodeRestriction), so that no new credential and no right on pods or secrets is needed. No array is asked, and
what needs the host's own mount table is left out, since this service has another. Written when it changes,
and once an hour, so that its age tells whether the node still looks.
"""

from __future__ import annotations

import datetime
import json
import socket
import sys
from typing import TYPE_CHECKING, Any

from instorage.privilege import leave_root
from instorage.version import VERSION
from instorage.wire.fault import Code, Fault
from nodeagent.administration import kubelet_access
from nodeagent.administration.array import USER
from nodeagent.administration.doctor import comparison, examination
from nodeagent.administration.doctor.picture import known
from nodeagent.administration.doctor.run import root
from nodeagent.diagnosis.finding import Severity
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    from nodeagent.administration.kubelet_access import Access

KEY = "instorage.inspur.com/doctor"
CHECKS = tuple(
    name
    for name in examination.CHECKS
    if name
    not in ("arrays", "protection", "portals", "kubelet", "selinux")  # arrays; the host's mounts, domains
)
UNSEEN = ("read-only", "not-seen")
"""Codes that say nothing in this service: its own mounts are read-only."""
UNMADE = ("not-seen", "look-hangs", "defect")
"""Codes of a check that was not made to its end: what it would have found is not known."""
MOST = 20  # findings
MOST_LOOKED = 500  # volumes
LONGEST = 300  # characters of a text
AGE_SECONDS = 3600.0


def content(node: str, found: examination.Examination, volumes: list[str]) -> dict[str, Any]:
    """Return what is published; bounded: an object of Kubernetes is no log.

    `errors` and `warnings` count every finding. Of a volume that is not in `looked`, or while `unseen` has
    the check of volumes, no finding says nothing.
    """
    unseen = sorted({one.check for one in found.findings if one.code in UNMADE})
    looked = [] if comparison.CHECK in unseen else sorted(volumes)[:MOST_LOOKED]
    serious = [one for one in found.findings if one.severity is not Severity.OK and one.code not in UNSEEN]
    keys = ("check", "code", "severity", "sentence", "who", "command", "volume")
    shown = [{key: one.to_json()[key][:LONGEST] for key in keys} for one in serious[:MOST]]
    return {
        "format": 1, "version": VERSION, "node": node, "volumes": len(volumes),
        "looked": [name[:LONGEST] for name in looked], "unseen": unseen,
        "errors": sum(one.severity is Severity.ERROR for one in serious),
        "warnings": sum(one.severity is Severity.WARNING for one in serious),
        "findings": shown,
    }  # fmt: skip


def due(now: datetime.datetime, said: dict[str, Any], before: str) -> bool:
    """Say whether it is to be written: it says something else, or the one of before is an hour old."""
    try:
        old = json.loads(before)
        at = datetime.datetime.fromisoformat(str(old.pop("at")))
        return bool(old != said or (now - at).total_seconds() >= AGE_SECONDS or at > now)
    except (ValueError, TypeError, LookupError, AttributeError):
        return True


def publish(access: Access, said: dict[str, Any], now: datetime.datetime) -> str:
    """Write it when it is due; return what was done, for the journal. Fault as `Access.annotate`."""
    node = str(said["node"])
    if not due(now, said, access.annotations(node).get(KEY, "")):
        return f"node {node} says already what was found."
    text = json.dumps(
        {"at": now.isoformat(timespec="seconds"), **said}, ensure_ascii=False, separators=(",", ":")
    )
    access.annotate(node, KEY, text)
    return f"node {node} says {said['errors']} errors and {said['warnings']} warnings."


def report() -> str:
    """Examine and publish; root is left for good before the network is used."""
    path = kubelet_access.file()
    if path is None:
        text = "No kubeconfig of a kubelet is in a known place: name it with INSTORAGE_KUBELET_KUBECONFIG."
        raise Fault(Code.BAD_CONFIGURATION, text)
    access = kubelet_access.read(path)
    with examination.this_node(Paths.from_environment(), root(), arrays_too=False) as host:
        found = examination.examine(host, CHECKS)
        # Without a configuration, which is what is to be said, by the name that kubelet takes without a word.
        said = content(
            host.setup.node or socket.gethostname().lower(), found, [one.name for one in known(host)]
        )
    leave_root(USER)
    return publish(access, said, datetime.datetime.now(datetime.UTC))


def main() -> int:
    """Report once; a failure is said, and tried again by the timer."""
    try:
        print(f"<6>instorage-report: {report()}")
    except Fault as fault:
        print(f"<4>instorage-report: {fault.sentence}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
