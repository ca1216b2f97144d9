"""`kubectl instorage`: what the cluster says of volumes, on an administrator's machine with kubectl alone.

One file (`tools/dist/plugin.py` makes it) beside kubectl; it runs on Python 3.8 or later. It asks by kubectl,
with the rights of who calls it, and changes nothing. Exit status: 0; 1, it waits or cannot be told; 2, wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from instorage.language import said, speak
from nodeagent.diagnosis import claim, cluster, link, pod, remedy
from nodeagent.diagnosis.branches import drawn
from nodeagent.diagnosis.foreign import printable
from nodeagent.diagnosis.kubectl import Kubectl
from nodeagent.diagnosis.link import UNSEEN, Link
from nodeagent.diagnosis.objects import ENDS, Unknown, Unseen, at, gathered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeagent.diagnosis.link import Verdict

FORMAT = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    speak()
    given = _parser().parse_args(argv)
    options = [word for name in ("context", "kubeconfig") if (value := getattr(given, name))
               for word in (f"--{name}", value)]  # fmt: skip
    try:
        status = int(given.run(given, Kubectl(*options)))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Unseen, Unknown) as error:
        print(said(printable(f"kubectl instorage: {error}")), file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubectl instorage", description=said("See InStorage volumes in a cluster.")
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, run, text in (
        ("why", _why, "say what a volume, claim or pod waits for, and who must act"),
        ("tree", _tree, "show the chain of a volume, from the claim to what its node said"),
        ("volumes", _volumes, "list the volumes"),
        ("arrays", _arrays, "list the arrays, by the volumes on them"),
        ("doctor", _doctor, "show what the nodes' doctors found last"),
    ):
        one = commands.add_parser(name, help=said(text), description=said(text))
        one.set_defaults(run=run)
        one.add_argument("--context", default="", help=said("a context of the kubeconfig"))
        one.add_argument("--kubeconfig", default="", help=said("the file to use"))
        one.add_argument("--json", action="store_true", help=said("print one JSON object for programs"))
        if name in ("why", "tree"):
            one.add_argument(
                "object", metavar="OBJECT", help=said("a volume, NAMESPACE/PVC or NAMESPACE/POD")
            )
            one.add_argument(
                "--proof", action="store_true", help=said("say with each line where it was read")
            )
        if name in ("volumes", "arrays"):
            one.add_argument(
                "--namespace", "-n", default="", help=said("of the claims of this namespace alone")
            )
    return parser


def judged(subject: str, kubectl: Kubectl) -> Verdict:
    """Return what the API server says of a volume, claim or pod; what its node alone knows is unseen."""
    found = gathered(kubectl, subject)
    links = [*claim.links(found), *pod.links(found)]
    node = at(found.pod, "spec", "nodeName")
    if node and found.volume_name and at(found.pod, "status", "phase") not in ENDS:
        text = f"Paths and mount are seen on node {node} alone: «{remedy.look(found.volume_name)}» there."
        links.append(Link("paths", UNSEEN, text))
    elif not links:
        why = "; ".join(found.unseen.values()) or f"there is no PV {subject}"
        links.append(Link("PV", UNSEEN, f"The cluster says nothing of it: {why}."))
    kind = "Pod" if at(found.pod, "metadata", "name") == subject.rpartition("/")[2] else "Claim"
    return link.judged(f"{kind if '/' in subject else 'Volume'} {subject}", links)


def _why(given: argparse.Namespace, kubectl: Kubectl) -> int:
    verdict = judged(given.object, kubectl)
    return _said(given, verdict.to_json(), list(link.lines(verdict, proof=given.proof)), verdict.status)


def _tree(given: argparse.Namespace, kubectl: Kubectl) -> int:
    verdict = judged(given.object, kubectl)
    lines = [verdict.sentence, *drawn(verdict.links, proof=True)]
    return _said(given, verdict.to_json(), lines, verdict.status)


def _volumes(given: argparse.Namespace, kubectl: Kubectl) -> int:
    rows = cluster.volumes(kubectl, given.namespace)
    lines = list(cluster.table(cluster.COLUMNS, [cluster.shown(one) for one in rows]))
    unseen = {node: why for row in rows for node, why in row["unseen"].items()}
    lines += [f"USED on node {node} could not be read: {why}" for node, why in unseen.items()]
    return _said(given, {"volumes": rows}, lines)


def _arrays(given: argparse.Namespace, kubectl: Kubectl) -> int:
    found = cluster.arrays(cluster.volumes(kubectl, given.namespace))
    rows = [
        [one["array"] or "-", str(one["volumes"]), _counted(one["phases"]), _counted(one["pools"])]
        for one in found
    ]
    return _said(given, {"arrays": found}, list(cluster.table(("ARRAY", "VOLUMES", "PHASES", "POOLS"), rows)))


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name or '-'} {count}" for name, count in sorted(counts.items()))


def _doctor(given: argparse.Namespace, kubectl: Kubectl) -> int:
    found = cluster.reports(kubectl)
    data = {"nodes": [{"node": one.node, "report": one.found} for one in found]}
    return _said(
        given, data, [line for one in found for line in one.lines()],
        max((one.status for one in found), default=1),
    )  # fmt: skip


def _said(given: argparse.Namespace, data: dict[str, Any], lines: Sequence[str], status: int = 0) -> int:
    if given.json:
        print(json.dumps({"format": FORMAT, "command": given.command, "status": status, **data}, indent=1))
    else:
        print("\n".join(said(printable(line)) for line in lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
