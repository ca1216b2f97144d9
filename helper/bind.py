"""Bind: a pod's directory gets the device mount of the same volume, as it asked for it (safety.md 9, 22)."""

import contextlib
import time

from helper import mounts
from helper.mounted import WAIT, call, flags, hand_out, mount_at, not_ours, prove, volume_on
from helper.settings import Settings
from helper.target import Place, parse, walk
from helper.volume import hold
from instorage.wire import verbs
from instorage.wire.fault import Code, Fault
from instorage.wire.steps import Step, reached


def bind(request: verbs.BindRequest, settings: Settings) -> verbs.BindReply:
    """Bind a device mount of a volume of ours to a pod's directory of the same name."""
    source, target = parse(request.source, settings), parse(request.target, settings)
    if not source.is_device or target.is_device or source.name != target.name:
        text = f"{request.source} is not the device mount that belongs to {request.target}."
        raise Fault(Code.NOT_ALLOWED, text, target=request.target)
    with contextlib.ExitStack() as stack:
        origin, row, uid = volume_on(source, stack, request.uid)
        stack.enter_context(hold(uid, request.op, time.monotonic() + WAIT))
        if origin.row() != row:
            raise Fault(Code.DEVICE_BUSY, f"{request.source} is just being unmounted.", uid=uid)
        hand_out(origin, row, uid, read_only=request.read_only)
        place = stack.enter_context(walk(target, create=True))
        return _bind(origin, place, row, uid, read_only=request.read_only)


def _bind(origin: Place, place: Place, row: mounts.Row, uid: str, *, read_only: bool) -> verbs.BindReply:
    there = place.row()
    if there and there.number != row.number:
        raise not_ours(there)
    bits = mounts.REMOUNT | mounts.BIND | flags(row.options, read_only=read_only)

    def both() -> None:
        whole = there is None and mounts.bind(origin.open(), place.open(), read_only=read_only)
        if there is None and not whole:
            mount_at(place, f"/proc/self/fd/{origin.open()}", "", mounts.BIND)
        reached(Step.HELPER_BIND_BOUND)
        if not whole:
            mount_at(place, "", "", bits)

    call(place, both, "bind", uid)
    reached(Step.HELPER_BIND_RESTRICTED)
    prove(place, uid, lambda found: (found.number, "ro" in found.options) == (row.number, read_only))
    return verbs.BindReply(already=there is not None)
