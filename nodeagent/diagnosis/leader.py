"""The provisioner that is to serve a class, by its Lease: it works, it is away, or it was never there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nodeagent.diagnosis.link import KUBERNETES, NOBODY, RIGHT, UNSEEN, WRONG, Link, moment
from nodeagent.diagnosis.objects import LEASE_NAMESPACE, PROVISIONER, Unseen, at
from nodeagent.diagnosis.waiting import waited

if TYPE_CHECKING:
    from nodeagent.diagnosis.objects import Objects

RESTART = "systemctl restart instorage-provisioner"
_LEASE_SECONDS = 15.0
_LOOK_SECONDS = 30.0
_AWAY = "away"


def link(found: Objects) -> Link:
    """Return whether a provisioner works, by its Lease."""
    named = f"Lease {LEASE_NAMESPACE}/{found.lease_name}"
    if "lease" in found.unseen:
        return _unknown(named, found.unseen["lease"])
    if found.lease is None:
        return _never_there(found, named)
    spec = at(found.lease, "spec") or {}
    renewed, who = moment(at(found.lease, "spec", "renewTime")), str(at(spec, "holderIdentity") or "")
    length = float(at(spec, "leaseDurationSeconds") or _LEASE_SECONDS)
    proof = f"{named}, renewTime {at(spec, 'renewTime')}"
    host = who.rpartition("_")[0] or who  # HOST_RANDOM, as provisioner/assembly.py has it
    if not who:
        text = f"The provisioner is away: who had {named} has let it go. Start one on its host."
        return Link("provisioner", WRONG, text, KUBERNETES, RESTART, renewed, proof)
    if not -length < time.time() - renewed < 2 * length and (why := _silent(found, length)):
        if why != _AWAY:
            return _unknown(named, why)
        text = f"The provisioner is away: {who} has not renewed {named}. Start it on host {host}."
        return Link("provisioner", WRONG, text, KUBERNETES, RESTART, renewed, proof)
    return Link("provisioner", RIGHT, f"The provisioner {who} works.", NOBODY, "", 0.0, proof)


def _unknown(named: str, why: str) -> Link:
    text = f"Whether the provisioner works is not known: {named} could not be read: {why}"
    return Link("provisioner", UNSEEN, text)


def _silent(found: Objects, length: float) -> str:
    """Return why the Lease is not seen to be renewed while one looks; empty when it is.

    The clock of this machine and the provisioner's may differ, so that a time tells nothing: a change does.
    """
    before, until = at(found.lease, "spec", "renewTime"), time.monotonic() + min(length, _LOOK_SECONDS)
    with waited("seeing whether the provisioner renews its Lease"):
        while found.ask is not None and time.monotonic() < until:
            time.sleep(min(length / 5, 2.0))
            try:
                now = found.ask("lease", found.lease_name, LEASE_NAMESPACE)
            except Unseen as error:
                return str(error)
            if at(now, "spec", "renewTime") != before:
                return ""
    return _AWAY


def _never_there(found: Objects, named: str) -> Link:
    """Return that no provisioner of the class's name has worked: it is to be installed, or to be named so."""
    whose = str(at(found.storage_class, "provisioner") or PROVISIONER)
    text = f"No provisioner of the name {whose} has ever worked here ({named} is not there)."
    if whose == PROVISIONER:
        text += " Install it on a host."
        command = "./install.sh --provisioner"
    else:
        text += f" On its host add -provisioner-name={whose} to its ExecStart, and start it."
        command = "systemctl edit --full instorage-provisioner"
    return Link("provisioner", WRONG, text, KUBERNETES, command, 0.0, f"kubectl get lease {found.lease_name}")
