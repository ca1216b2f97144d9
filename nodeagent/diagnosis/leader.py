"""The provisioner that is to serve a class, by its Lease: it works, it is away, or it was never there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nodeagent.diagnosis.link import KUBERNETES, NOBODY, RIGHT, UNSEEN, WRONG, Link, moment
from nodeagent.diagnosis.objects import LEASE_NAMESPACE, PROVISIONER, at

if TYPE_CHECKING:
    from nodeagent.diagnosis.objects import Objects

RESTART = "systemctl restart instorage-provisioner"
_LEASE_SECONDS = 15.0


def link(found: Objects) -> Link:
    """Return whether a provisioner works, by its Lease."""
    named = f"Lease {LEASE_NAMESPACE}/{found.lease_name}"
    if "lease" in found.unseen:
        text = (
            f"Whether the provisioner works is not known: {named} could not be read: {found.unseen['lease']}"
        )
        return Link("provisioner", UNSEEN, text)
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
    if time.time() - renewed > 2 * length:
        text = f"The provisioner is away: {who} has not renewed {named}. Start it on host {host}."
        return Link("provisioner", WRONG, text, KUBERNETES, RESTART, renewed, proof)
    return Link("provisioner", RIGHT, f"The provisioner {who} works.", NOBODY, "", 0.0, proof)


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
