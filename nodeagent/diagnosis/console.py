"""Where a command of an answer is typed, and what to look for in what it prints."""

from __future__ import annotations

from typing import NamedTuple


class Console(NamedTuple):
    """Of commands that begin so: `where` they are typed, and what there is to see (empty: it is plain)."""

    start: str
    where: str
    look: str = ""


# As instorage.places has it, which kubectl's plugin, for older Pythons, does not bring: a test compares them.
PLUGIN = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume"
_NODE = "on that node, as root"
_TABLE = (
    Console("./install.sh", "in the folder of the unpacked archive, on that host, as root"),
    Console(
        "kubectl -n kube-system get pods",
        "where kubectl works",
        "kube-scheduler; it must be Running",
    ),
    Console(
        "kubectl get pods -A",
        "where kubectl works",
        "the pod that uses the volume; end it or move it, and the volume follows. None uses it: it is let "
        "go of within some minutes",
    ),
    Console("kubectl describe", "where kubectl works", "the newest event, at the end"),
    Console(
        "kubectl get storageclass ",
        "where kubectl works",
        "its pools and I/O groups; of which site each is, say lsmdiskgrp and lsiogrp on the array",
    ),
    Console("kubectl ", "where kubectl works"),
    Console("mcs", "on the array's command line (SSH)"),
    Console(
        "instoragectl adopt",
        "on the provisioner's host, as root",
        f"the line of this volume; that line goes into {PLUGIN}/config/adopted on the nodes",
    ),
    Console(
        "instoragectl barrier plan",
        _NODE,
        "what it would do; it changes nothing. «instoragectl barrier resume» does it",
    ),
    Console("instoragectl release", "on any node, as root"),
    Console("instoragectl arrays", _NODE, "the line of that array: it answers, or what keeps it"),
    Console("instoragectl doctor", _NODE, "the lines «error» and «warning»; each has a command that helps"),
    Console("instoragectl why", _NODE, "its first line"),
    Console(
        "journalctl -u kubelet",
        _NODE,
        "the last line of the volume. There is none: kubelet never asked, see whether it runs",
    ),
    Console("journalctl -k", _NODE, "the lines of the volume's file system, EXT4-fs or XFS"),
    Console("journalctl -e -u instorage-provisioner", "", "the last lines that name the claim or its volume"),
)
"""The first that fits counts."""
_PROVISIONERS = "on the provisioner's host, as root"


def place(command: str, *, tell: bool) -> str:
    """Return where the command is typed, in words; `tell`: who must act has no login on a node."""
    found = _found(command)
    if found.where and found.where != _NODE:
        return found.where
    if "instorage-provisioner" in command:
        return _PROVISIONERS
    if tell:
        return "on that node, as root; it shows what that administrator must be told"
    return _NODE


def look(command: str) -> str:
    """Return what to look for in what the command prints, empty where it is plain."""
    return _found(command).look


def _found(command: str) -> Console:
    return next((one for one in _TABLE if command.startswith(one.start)), Console("", ""))
