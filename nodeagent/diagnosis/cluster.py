"""The volumes of a cluster as tables: claim, PV, array, pool, kind, size, used, node, age; what nodes say.

`used` is of kubelet's statistics, which the administrator may read or not; what a node's doctor says is an
annotation of its Node object (`instorage-report`).
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nodeagent.diagnosis.link import age, moment
from nodeagent.diagnosis.objects import DRIVER, Unseen, at, claims_of, inline, items
from nodeagent.diagnosis.report import Report, paths, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nodeagent.diagnosis.kubectl import Kubectl
    from nodeagent.diagnosis.objects import Object

COLUMNS = ("CLAIM", "PV", "ARRAY", "POOL", "KIND", "SIZE", "PHASE", "USED", "NODE", "PATHS", "AGE")
_AT_ONCE = 16  # kubelets that are asked
_UNITS = ((1 << 40, "Ti"), (1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def volumes(kubectl: Kubectl, namespace: str = "") -> list[dict[str, Any]]:
    """Return a row for every PV of ours, or of the claims of a namespace; its keys as `_row` has them."""
    kept = items(kubectl("pv"), "items")
    ours = [volume for volume in kept if at(volume, "spec", "flexVolume", "driver") == DRIVER]
    using = _nodes(items(kubectl.everywhere("pods"), "items"))
    rows = []
    for volume in ours:
        where, claim = (str(at(volume, "spec", "claimRef", key) or "") for key in ("namespace", "name"))
        if namespace in ("", where):
            bound = at(volume, "status", "phase") == "Bound"  # another may be called as one that was released
            rows.append(_row(volume, where, claim, using.get((where, claim), []) if bound else []))
    said = {one.node: one for one in reports(kubectl)} if rows else {}
    nodes = sorted({one for row in rows for one in row["nodes"]})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        used = dict(zip(nodes, pool.map(lambda node: _used(kubectl, node), nodes)))  # noqa: B905  # 3.8
    for row in rows:
        told = [used[node].get(row["claim"]) for node in row["nodes"] if isinstance(used[node], dict)]
        row["used"] = next((one for one in told if one is not None), None)
        row["unseen"] = {node: used[node] for node in row["nodes"] if isinstance(used[node], str)}
        row["paths"] = paths((said.get(node, Report(node, None)) for node in row["nodes"]), row["pv"])
    return rows


def _row(volume: Object, namespace: str, claim: str, nodes: list[str]) -> dict[str, Any]:
    options = at(volume, "spec", "flexVolume", "options") or {}
    created = moment(at(volume, "metadata", "creationTimestamp"))
    return {
        "claim": f"{namespace}/{claim}" if claim else "",
        "pv": str(at(volume, "metadata", "name")),
        "array": str(options.get("storageName") or ""),
        "pool": str(options.get("volPoolName") or ""),
        "kind": str(options.get("volLevel") or "basic"),
        "size": str(at(volume, "spec", "capacity", "storage") or ""),
        "nodes": nodes,
        "phase": str(at(volume, "status", "phase") or ""),
        "created": created,
    }


def _nodes(pods: Iterable[Object]) -> dict[tuple[str, str], list[str]]:
    """Return on which nodes the pods are that use each claim."""
    found: dict[tuple[str, str], list[str]] = {}
    for pod in pods:
        node, namespace = at(pod, "spec", "nodeName"), str(at(pod, "metadata", "namespace"))
        if node and at(pod, "status", "phase") not in ("Succeeded", "Failed"):
            for claim in [*claims_of(pod), inline(pod)]:
                nodes = found.setdefault((namespace, claim), [])
                nodes += [] if str(node) in nodes else [str(node)]
    return found


def _used(kubectl: Kubectl, node: str) -> dict[str, int] | str:
    """Return the used bytes of each claim on a node, as its kubelet measured them, or why not."""
    path = f"/api/v1/nodes/{quote(node, safe='')}/proxy/stats/summary"
    try:
        found = json.loads(kubectl.run("get", "--raw", path) or "null")
    except (Unseen, ValueError) as error:
        return str(error)
    if not isinstance(found, dict):
        return "it has no statistics"
    used = {}
    for pod in items(found, "pods"):
        for one in items(pod, "volume"):
            reference = at(one, "pvcRef")
            if reference and isinstance(one.get("usedBytes"), int):
                used[f"{reference.get('namespace')}/{reference.get('name')}"] = int(one["usedBytes"])
    return used


def arrays(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of each array how many PVs, in which phases, and in which pools are on it."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault(row["array"], {"array": row["array"], "volumes": 0, "phases": {}, "pools": {}})
        one["volumes"] += 1
        for kind, key in (("phases", "phase"), ("pools", "pool")):
            one[kind][row[key]] = one[kind].get(row[key], 0) + 1
    return sorted(found.values(), key=lambda one: str(one["array"]))


def reports(kubectl: Kubectl) -> list[Report]:
    """Return of each node what its doctor last said."""
    return [read(node) for node in items(kubectl("nodes"), "items")]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows under their columns, each as wide as it must be."""
    widths = [max(len(row[at]) for row in [columns, *rows]) for at in range(len(columns))]
    for row in [columns, *rows]:
        yield "   ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip()  # noqa: B905  # 3.8


def shown(row: dict[str, Any]) -> list[str]:
    """Return a volume's row as text, «-» for what is not known."""
    used = ("?" if row["unseen"] else "-") if row["used"] is None else quantity(row["used"])
    old = age(row["created"]) if row["created"] else "-"
    nodes = ",".join(row["nodes"])
    cells = [row[key] for key in ("claim", "pv", "array", "pool", "kind", "size", "phase")]
    return [cell or "-" for cell in (*cells, used, nodes, row["paths"], old)]


def quantity(size: int) -> str:
    """Return bytes in the largest unit of which there is one («1.5Gi»)."""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f}{name}"
    return str(size)
