"""Which volume a pod's mount means, and whether another of its name has the device mount on this node.

kubelet's directories go by the volume's name alone, and two arrays may both have a volume of that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault
from nodeagent.volume import tenancy
from nodeagent.volume.usable import usable

if TYPE_CHECKING:
    from instorage.wire.values import VolumeUid
    from nodeagent.host.helper_client import Helper
    from nodeagent.operation.flexvolume import Options
    from nodeagent.operation.node import Operation
    from nodeagent.volume.tenancy import Grants


def meant(operation: Operation, options: Options, grants: Grants | None) -> VolumeUid:
    """Return the UID of the volume that the options name: as attached here, else as the array says.

    Compared with the grants: kubelet may ask for what another pod's options had attached.
    """
    array = operation.array(options.storage)
    found = operation.node.records.by_name(options.name)
    known = {record.uid for record in found if record.storage == array.name}
    if len(known) == 1:
        (uid,) = known
    else:
        operation.progress.say(f"asking array {array.name} for the volume")
        uid = usable(operation, array, options, grants).uid
    tenancy.confirm(grants, options, array.name, uid)
    return uid


def require_free(operation: Operation, helper: Helper, options: Options, uid: VolumeUid) -> None:
    """Raise `Fault(DEVICE_BUSY)` while another volume of that name is mounted on this node."""
    for record in operation.node.records.by_name(options.name):
        if record.uid == uid or record.target is None:
            continue
        if any(mount.target == record.target for mount in helper.inspect(record.uid).mounts):
            array = operation.array(options.storage).name
            raise Fault(
                Code.DEVICE_BUSY,
                f"Volume {options.name} of array {array} (UID {uid}) is asked for, and volume {record.name} "
                f"of array {record.storage} (UID {record.uid}) is mounted here, and kubelet has one place "
                "for both: end the pods that use that one, or give one volume another name.",
                volume=options.name,
                array=array,
                holder=record.storage,
            )
