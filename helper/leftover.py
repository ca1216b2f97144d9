"""What is left here of a volume that the array no longer maps to this host, and the proof of that.

An array may say «not mapped» for a moment while a pod runs: so before the first unmount of what seems to be
left over the kernel is asked, and everybody who may hold the volume.
"""

from helper import child, device, mounts
from helper.settings import Settings
from helper.target import spelled
from helper.users import busy
from instorage.wire.fault import Code, Fault


def require(uid: str, settings: Settings, deadline: float) -> None:
    """Raise `Fault(DEVICE_BUSY)` unless every path says, twice, that its LUN is gone, and nobody holds it.

    Of mounts only kubelet's own count as left over: who else has one, a container above all, uses it.
    A volume without any path can neither be read nor written.
    """
    volume = device.find(uid)
    if volume.disks and not child.until(lambda: device.unmapped(volume, deadline), deadline, 0.5):
        text = f"Volume {uid} was to be taken down here because the array no longer maps it to this host, "
        text += "but not every path says that its LUN is gone: nothing was unmounted. Ask again."
        raise Fault(Code.DEVICE_BUSY, text, uid=uid)
    found = child.apart(lambda: _said(volume, settings), deadline, "The look for mounts", uid)
    if using := [*found, *volume.holders()]:
        raise busy(uid, using)


def _said(volume: device.Volume, known: Settings) -> list[str]:
    return [f"a mount on {row.target} (seen by process {pid})" for pid, row in holders(volume.numbers, known)]


def holders(numbers: set[str], settings: Settings) -> list[tuple[str, mounts.Row]]:
    """Return the mounts of these devices that stay when kubelet's end, each with a process that sees it.

    May hang. One at the same place and of the same peer group, in a namespace that follows the host's, goes
    with those.
    """
    own = {row.target: row for row in mounts.table(numbers=numbers) if spelled(row.target, settings)}

    def follows(row: mounts.Row, *, here: bool) -> bool:
        return row.target in own and (here or row.goes_with(own[row.target]))

    return [(process, row) for process, here, row in mounts.seen(numbers) if not follows(row, here=here)]
