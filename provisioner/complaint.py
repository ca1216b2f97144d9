"""What is said of an object for which something could not be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.events import Event

if TYPE_CHECKING:
    from instorage.wire.fault import Fault
    from provisioner.cluster import Object, Refusal

FAILED = "ProvisioningFailed"
"""The reason of the event of a claim that is not served."""
_AGAIN = "It is tried again by itself."
_PASSING = (409, 429)  # changed meanwhile, or too many at once: the next attempt does it


def of_claim(claim: Object, sentence: str, *, waits: bool = False) -> Event:
    """Return the event of a claim that is not served, cannot grow when it is bound, or `waits` for its PV."""
    named = claim["spec"].get("volumeName")
    reason = "BindingWaits" if waits else "ExpansionBlocked" if named else FAILED
    return Event(claim, "PersistentVolumeClaim", normal=False, reason=reason, message=sentence)


def of_volume(volume: Object, sentence: str, *, waits: bool = False) -> Event:
    """Return the event of a PV whose volume cannot be deleted, or `waits` and is deleted by itself."""
    reason = "VolumeDeletionWaits" if waits else "VolumeFailedDelete"
    return Event(volume, "PersistentVolume", normal=waits, reason=reason, message=sentence)


def of_fault(fault: Fault, *, again: bool) -> str:
    """Return the sentence about a fault: what comes next when it is tried `again`, and its code."""
    next_ = f" {_AGAIN}" if again and " again" not in fault.sentence else ""
    return f"{fault.sentence}{next_} [{fault.code.value}]"


def of_refusal(refusal: Refusal) -> str:
    """Return the sentence about what the API server refused (a webhook, a quota, rights); "" if it passes."""
    if refusal.status in _PASSING:
        return ""
    return (
        f"The API server refuses {refusal.asked or 'a request'} ({refusal.status}): "
        f"{str(refusal).rstrip('.')}. It is tried again; look at webhooks, quotas and the rights of the "
        "provisioner's account (deploy/provisioner-rbac.yaml)."
    )
