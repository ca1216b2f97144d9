"""Who must act on a code, and the command that helps, for every code that a call can answer with."""

from __future__ import annotations

import re
from typing import NamedTuple

from nodeagent.diagnosis.console import PLUGIN
from nodeagent.diagnosis.foreign import is_name, typed
from nodeagent.diagnosis.link import ARRAY, KUBERNETES, NOBODY, NODE, SAN


class Remedy(NamedTuple):
    """`command` may name {volume}, {node}, {pool}; `without` is said where one of them is not known.

    No command has a word in it that is the reader's to replace: it is typed as it stands.
    """

    who: str
    command: str = ""
    without: str = ""


_JOURNAL = "journalctl -u instorage-nodeagent -u instorage-helper"
RESTART = "systemctl restart instorage-node.target"
"""What brings all of a node's services back, and breaks off what they do."""
START = "systemctl start instorage-node.target"
"""What brings those back that were stopped, and touches no other: it is safe whatever is under way."""
CHECK = f"{PLUGIN}/instorage-flexvolume ext-check-cfg"
"""What looks at a node's configuration, in kubelet's directory of plugins, which is in no PATH."""
ON_NODE = "kubectl get pods -A -o wide --field-selector spec.nodeName={node}"
REMEDIES = {
    "bad-request": Remedy(KUBERNETES, "kubectl get pv {volume} -o yaml"),
    "bad-configuration": Remedy(NODE, CHECK),
    "not-supported": Remedy(KUBERNETES, "kubectl get pv {volume} -o yaml"),
    "not-allowed": Remedy(NODE, "instoragectl pin --dry-run"),
    "not-signed": Remedy(KUBERNETES, "instoragectl adopt"),
    "array-unreachable": Remedy(NODE, "instoragectl arrays"),
    "array-authentication": Remedy(NODE, CHECK),
    "array-host-key": Remedy(ARRAY, "instoragectl arrays"),
    "array-ssh-algorithms": Remedy(ARRAY, "instoragectl arrays"),
    "array-sessions": Remedy(ARRAY, "instoragectl arrays"),
    "array-refused": Remedy(ARRAY, "instoragectl arrays"),
    "array-busy": Remedy(ARRAY, "instoragectl arrays"),
    "array-answer": Remedy(ARRAY, "instoragectl arrays"),
    "outcome-unknown": Remedy(NOBODY),
    "pool-full": Remedy(ARRAY, "mcsinq lsmdiskgrp {pool}", "mcsinq lsmdiskgrp"),
    "pool-missing": Remedy(KUBERNETES, "kubectl get storageclass -o yaml"),
    "volume-missing": Remedy(ARRAY, "mcsinq lsvdisk -filtervalue name={volume}"),
    "volume-exists": Remedy(ARRAY, "mcsinq lsvdisk {volume}"),
    "volume-mapped-elsewhere": Remedy(KUBERNETES, ON_NODE, "kubectl get pods -A -o wide"),
    "volume-mapped": Remedy(KUBERNETES, ON_NODE, "kubectl get pods -A -o wide"),
    "volume-protected": Remedy(NOBODY),
    "volume-not-ready": Remedy(ARRAY, "mcsinq lsvdisk {volume}"),
    "host-object": Remedy(ARRAY, "mcsinq lshost"),
    "host-missing": Remedy(ARRAY, "mcsinq lshost"),
    "name-invalid": Remedy(KUBERNETES, "kubectl get pv {volume} -o yaml"),
    "tool-missing": Remedy(NODE, CHECK),
    "no-path": Remedy(SAN, "instoragectl doctor --volume {volume}"),
    "portal-unreachable": Remedy(SAN, "instoragectl doctor --volume {volume}"),
    "wrong-device": Remedy(NODE, "instoragectl doctor --volume {volume}"),
    "no-multipath": Remedy(NODE, "systemctl restart multipathd"),
    "map-queues": Remedy(NODE, "multipathd show config"),
    "device-busy": Remedy(NODE, "instoragectl doctor --volume {volume}"),
    "not-empty": Remedy(KUBERNETES, "kubectl describe pv {volume}", "kubectl get pv"),
    "file-system": Remedy(NODE, "journalctl -k"),
    "read-only-first-use": Remedy(KUBERNETES, "kubectl get pv {volume} -o yaml"),
    "not-ours": Remedy(NODE, "instoragectl doctor --volume {volume}"),
    "barrier": Remedy(NODE, "instoragectl barrier plan"),
    "helper-busy": Remedy(NOBODY),
    "lock-timeout": Remedy(NOBODY),
    "lock-lost": Remedy(NOBODY),
    "tool-failed": Remedy(NODE, _JOURNAL),
    "timeout": Remedy(NODE, "instoragectl trace {volume}"),
    "credential-plugin": Remedy(KUBERNETES, "journalctl -u instorage-provisioner"),
    "helper-unreachable": Remedy(NODE, "systemctl start instorage-helper.socket"),
    "protocol": Remedy(NODE, _JOURNAL),
    "internal": Remedy(NODE, _JOURNAL),
}
UNKNOWN = Remedy(NODE, _JOURNAL)
_FORMAT_ELSEWHERE = re.compile("on the node that had it last")  # said by helper/format.py
_BROKEN_OFF = re.compile("instoragectl barrier (?:plan|resume)")  # said of an expansion, under several codes
_FINISHED_THERE = Remedy(KUBERNETES, "kubectl instorage doctor")
_CODE = re.compile(r"\[([a-z][a-z-]+)\](?: \(request ([0-9a-z]+)\))?")
_HOST = re.compile(r"is mapped to (?:host )?([^:,\s]+?)[:,.]?(?:\s|$)")
_POOL = re.compile(r"(?:[Pp]ool |: )([A-Za-z0-9][A-Za-z0-9._-]*) (?:has|on) ")
# What is said of a host that is no node by its name: a command with NODE in it cannot be typed.
_RELEASE = re.compile(
    r"If that node is gone for good: instoragectl release \S+ --from NODE\."
    r"(?: It takes nothing from a node that the array does not call logged out\.)?"
)
_WHOSE = "Which machine that is says the array: its initiators are told by the command."
_NAME_LIMIT = 63  # as of `nodeagent/host/identity.py`: a name of that length may be cut
_HOST_RULE = re.compile(r"^(?:[a-z0-9.-]+-)?(?:iscsi|fc)-([A-Za-z0-9][A-Za-z0-9._-]*)$")


def kubelets_journal(word: str) -> str:
    """Return the command that shows what kubelet says of a volume or a driver."""
    return typed(
        "journalctl -u kubelet --since -1h | grep {}", word, without="journalctl -u kubelet --since -1h"
    )


def doctor(volume: str) -> str:
    """Return the command that examines this node with regard to a volume."""
    return typed("instoragectl doctor --volume {}", volume, without="instoragectl doctor")


def look(volume: str) -> str:
    """Return the command that says on a node what a volume waits for there."""
    return typed("instoragectl why {}", volume, without="instoragectl doctor")


def of_code(code: str, **known: str) -> Remedy:
    """Return who must act and the command, with what is known in its place, where it is a name."""
    remedy = REMEDIES.get(code, UNKNOWN)
    try:
        return Remedy(
            remedy.who, remedy.command.format(**{name: word for name, word in known.items() if is_name(word)})
        )
    except KeyError:
        return Remedy(remedy.who, remedy.without)


def of_sentence(sentence: str, volume: str) -> tuple[str, Remedy]:
    """Return the code that a sentence of ours carries («[array-busy]», empty: none), and its remedy.

    The node that has a volume is named as its host object is by rule: `iscsi-<node>`. The one that began a
    format and alone may end it is not known here: every node's doctor, asked together, names it.
    """
    found = _CODE.search(sentence)
    host, pool = _HOST.search(sentence), _POOL.search(sentence)
    code = found.group(1) if found else ""
    if code == "not-empty" and _FORMAT_ELSEWHERE.search(sentence):
        return code, _FINISHED_THERE
    if code and _BROKEN_OFF.search(sentence):
        return code, REMEDIES["barrier"]
    known = {"volume": volume, "node": node_of(host.group(1)) if host else ""}
    if host and not known["node"] and REMEDIES.get(code, UNKNOWN).command == ON_NODE:
        return code, Remedy(ARRAY, typed("mcsinq lshost {}", host.group(1), without="mcsinq lshost"))
    return code, of_code(code, pool=pool.group(1) if pool else "", **known)


def node_of(host: str) -> str:
    """Return the node whose host object has that name by rule, empty when it follows none, or was cut."""
    found = _HOST_RULE.match(host.strip())
    return found.group(1) if found and len(host.strip()) < _NAME_LIMIT else ""


def bare(sentence: str) -> str:
    """Return a sentence without its code and request, and with the node by name where one is told of."""
    host = _HOST.search(sentence)
    node = node_of(host.group(1)) if host else ""
    text = _CODE.sub("", sentence).strip()
    return text.replace("--from NODE", f"--from {node}") if node else _RELEASE.sub(_WHOSE, text)
