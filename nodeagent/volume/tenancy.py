"""Whether who asks may have the volume: the signature that a name needs (security.md, Tenancy).

kubelet calls waitforattach and mountdevice without a word about the pod, and leaves both out for a volume
that another pod of the node has: so each call is checked by itself, and the namespace in mount.
"""

from __future__ import annotations

import fnmatch
import logging
from typing import TYPE_CHECKING

from instorage.tenancy.grant import CLAIM_PREFIX
from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from instorage.configuration.settings import Configuration
    from instorage.tenancy.grant import Grant, SignedGrant
    from nodeagent.operation.flexvolume import Options
    from nodeagent.operation.node import Operation

    Grants = tuple[Grant, ...]

_LOG = logging.getLogger(__name__)


def announce(configuration: Configuration) -> None:
    """Say in the journal what protects volumes under a configuration that came into force."""
    if configuration.volume_keys:
        _LOG.info(
            "Volumes %s* need a signature of one of %d keys (host.volumeKey)",
            CLAIM_PREFIX, len(configuration.volume_keys),
        )  # fmt: skip
    else:
        _LOG.warning(
            "host.volumeKey is not set in %s: any author of a pod can reach any volume of the arrays by its "
            "name. Add the line that the provisioner prints at its start.", configuration.path,
        )  # fmt: skip


def admit(operation: Operation, options: Options, *, pod: bool = False) -> Grants | None:
    """Return the verified grants of a volume that needs one, None for a volume that needs none.

    `pod`: the call is made for a pod, whose namespace must be the grant's. What a grant says of array and UID
    is for `confirm` to compare. `Fault(NOT_SIGNED)`.
    """
    adopted = operation.node.adopted.grants(options.name)
    if not _needs_signature(operation, options.name, adopted):
        return None
    given = adopted if options.signed is None else (options.signed,)
    grants = tuple(one.grant for one in given if _verified(operation, one))
    if not grants:
        raise _unsigned(operation, options, given)
    if pod or options.pod_namespace:
        grants = tuple(grant for grant in grants if grant.namespace == options.pod_namespace)
    if not grants:
        where = f"namespace {options.pod_namespace}" if options.pod_namespace else "a pod of no namespace"
        raise _refused(
            options, f"is not signed for {where}: use it in the namespace of its claim", "namespace"
        )
    return grants


def confirm(grants: Grants | None, options: Options, storage: str, uid: VolumeUid) -> None:
    """Demand that a grant is for this array and UID, which are the volume's own; `Fault(NOT_SIGNED)`."""
    if grants is None:
        return
    here = [grant for grant in grants if grant.storage_name == storage]
    if not here:
        named = ", ".join(sorted({grant.storage_name for grant in grants}))
        raise _refused(options, f"is signed for array {named}, not for {storage}", "array")
    if all(grant.uid.lower() != uid for grant in here):
        raise _refused(
            options,
            f"has UID {uid} on array {storage}, and its signature is for UID {here[0].uid}: it is another "
            "volume of that name; look at both before you sign it",
            "uid",
        )


def uids(
    operation: Operation, options: Options, grants: Grants | None, storage: str
) -> tuple[VolumeUid, ...]:
    """Return by which UIDs the volume is known: attached here, granted, or said by its PV.

    Without `grants` the PV's word counts while no key is set: else the author of a pod could ask for names.
    """
    records = operation.node.records.by_name(options.name)
    told = [record.uid for record in records if record.storage == storage]
    if grants is None and options.signed is not None and not operation.configuration.volume_keys:
        grants = (options.signed.grant,)
    given = [VolumeUid.parse(grant.uid) for grant in grants or () if grant.storage_name == storage]
    return tuple(dict.fromkeys([*told, *given]))


def _needs_signature(operation: Operation, name: str, adopted: Sequence[SignedGrant]) -> bool:
    """Say whether the name alone gives no right. What was adopted needs its line, whatever its name."""
    keys = operation.configuration.volume_keys
    if name.startswith(CLAIM_PREFIX):
        return bool(keys)
    direct = any(fnmatch.fnmatchcase(name, pattern) for pattern in operation.host.direct_names)
    return not direct or bool(keys and adopted)


def _verified(operation: Operation, signed: SignedGrant) -> bool:
    from instorage.tenancy.signature import verified  # loads cryptography: not while no key is set

    return verified(operation.configuration.volume_keys, signed.grant, signed.signature)


def _unsigned(operation: Operation, options: Options, given: Sequence[SignedGrant]) -> Fault:
    """Return the refusal of a volume without a valid signature, by what there is instead of one."""
    file = operation.node.adopted.path
    if given:
        where = "its options" if options.signed is not None else str(file)
        what = f"has a signature in {where} that was made for something else, or by no key of host.volumeKey"
        return _refused(options, f"{what}: add the line of the provisioner that made it", "invalid")
    if options.name.startswith(CLAIM_PREFIX):
        what = "has no signature (host.volumeKey is set)"
        mend = f"use it through its claim; a PV from before: add what «instoragectl adopt» prints to {file}"
        return _refused(options, f"{what}: {mend}", "missing")
    return _refused(options, "has a name that host.directNames does not allow, and no signature", "name")


def _refused(options: Options, what: str, reason: str) -> Fault:
    return Fault(
        Code.NOT_SIGNED, f"Volume {options.name} is refused: it {what}.", volume=options.name, reason=reason
    )
