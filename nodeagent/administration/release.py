"""`instoragectl release VOLUME --from NODE`: an administrator takes a volume from a node that is gone.

What keeps a pod from starting on a second node is the first node's mapping. It is removed only when the array
says, twice, that the node is logged out; while it is logged in only by the administrator's own word, since
that node may be writing and loses the volume under its mount (safety.md 14).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from instorage.wire.fault import Code, Fault
from nodeagent.administration.array import USER, client, meant
from nodeagent.host import identity
from nodeagent.volume import fencing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.volume_name import VolumeName


@dataclass(frozen=True)
class Holding:
    """What one array says: why it cannot be asked, or whether it has the volume, and for which hosts.

    `doubt`: what says that it is no whole active-active volume.
    """

    array: Array
    fault: Fault | None = None
    known: bool = False
    doubt: str = ""
    held: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def release(
    configuration: Path, volume: VolumeName, node: str, *, logged_in: bool, storage: str | None = None
) -> Iterator[str]:
    """Remove the volume's mappings to a node on the array that has them; yield lines for people.

    Every array is asked, or `storage` alone; one that does not answer is said and stops nothing that is
    proven. `logged_in`: the administrator's word that it may be removed from a node that is logged in.
    `Fault(VOLUME_MISSING)` when no array has the volume, VOLUME_MAPPED when the node lives or two arrays map
    a volume of that name to it; the fault of a silent array when his word may be about its volume.
    """
    from instorage.configuration.settings import load

    found = load(configuration)
    assert found.host is not None  # noqa: S101  # demanded by load
    hosts = identity.host_objects(found.host, node)
    entries = meant(found, storage)
    leave_root(USER)
    with contextlib.ExitStack() as stack:
        holdings = []
        for entry in entries:
            holdings.append(_asked(stack.enter_context(client(entry)), volume, hosts))
        _require_one(volume, node, holdings)
        if logged_in:
            _require_all_heard(volume, node, holdings)
        for one in holdings:
            yield from _released(one, volume, node, hosts, logged_in=logged_in)


def _asked(array: Array, volume: VolumeName, hosts: tuple[str, ...]) -> Holding:
    try:
        found = array.find_volume(volume)
        if found is None:
            return Holding(array)
        mapped = [mapping.host for mapping in array.mappings(volume)]
        held = tuple(host for host in mapped if host in hosts)
        doubt = array.doubt(found) if held else ""
    except Fault as fault:
        return Holding(array, fault)
    others = tuple(sorted(set(mapped) - set(held)))
    return Holding(array, known=True, doubt=doubt, held=held, others=others)


def _require_one(volume: VolumeName, node: str, holdings: list[Holding]) -> None:
    """Raise unless exactly one volume can be meant, or none is mapped to the node."""
    holding = [one.array.name for one in holdings if one.held]
    if len(holding) > 1:
        text = f"A volume {volume} is mapped to {node} on {' and '.join(holding)}: say which one is meant "
        raise Fault(Code.VOLUME_MAPPED, f"{text}(--storage NAME).", volume=volume, node=node)
    if any(one.known for one in holdings):
        return
    for one in holdings:
        if one.fault is not None:
            raise one.fault
    named = ", ".join(one.array.name for one in holdings)
    text = f"No volume {volume} is on {named}: correct the name; a PV's volume has the PV's name."
    raise Fault(Code.VOLUME_MISSING, text, volume=volume)


def _require_all_heard(volume: VolumeName, node: str, holdings: list[Holding]) -> None:
    """Raise when the administrator's word, which is for one volume, may be about a silent array's."""
    holding = [one.array.name for one in holdings if one.held]
    for one in holdings:
        if holding and one.fault is not None:
            text = (
                f"{one.fault.sentence} So it is not known whether array {one.array.name} maps a volume "
                f"{volume} to {node} as well: say which one is meant (--storage {holding[0]}, or "
                f"{one.array.name}). Nothing was changed."
            )
            raise Fault(one.fault.code, text, **one.fault.fields)


def _released(
    one: Holding, volume: VolumeName, node: str, hosts: tuple[str, ...], *, logged_in: bool
) -> Iterator[str]:
    if one.fault is not None:
        yield f"Array {one.array.name} was not asked: {one.fault}"
    elif one.known and not one.held:
        where = f"it is mapped to {', '.join(one.others)}" if one.others else "it is mapped to no host"
        renamed = f" If that is {node}'s object under another name, say so in host.objects and repeat this."
        yield (
            f"Array {one.array.name} does not map {volume} to {node} ({' or '.join(hosts)}); {where}."
            + (renamed if one.others else "")
        )
    elif one.held:
        if one.doubt:
            yield f"Volume {volume} on array {one.array.name}: {one.doubt}. See «instoragectl barrier plan»."
        unmap = one.array.unmap_volume if logged_in else _proven(one.array, volume, node, one.held).unmap
        for number, host in enumerate(one.held, 1):
            yield unmapped(one.array, volume, node, host, one.held[number:], unmap)


def _proven(array: Array, volume: VolumeName, node: str, hosts: tuple[str, ...]) -> fencing.LastLook:
    def kept(found: fencing.Living) -> Fault:
        text = (
            f"Array {array.name}: {found.why}. Node {node} may have volume {volume} mounted: end its pod "
            f"there. {found.mend} If that node must lose the volume all the same, repeat this with "
            "--although-logged-in; what it has not written is lost then."
        )
        return Fault(Code.VOLUME_MAPPED, text, volume=volume, host=", ".join(hosts), array=array.name)

    if found := fencing.living(array, hosts):
        raise kept(found)
    return fencing.LastLook(array, hosts, kept)


def unmapped(
    array: Array,
    volume: VolumeName,
    node: str,
    host: str,
    others: tuple[str, ...],
    unmap: Callable[[VolumeName, str], object],
) -> str:
    """Unmap from one of the node's host objects; say, also in the fault, which others have the volume yet."""
    try:
        unmap(volume, host)
    except Fault as fault:
        left = " and ".join((host, *others))
        text = f"Array {array.name} may still map {volume} to {left}: repeat this. {fault.sentence}"
        raise Fault(fault.code, text, **fault.fields) from None
    what = f"{' and '.join(others)} is next" if others else "the node is fenced from it"
    return f"Array {array.name} no longer maps {volume} to {node} (host {host}): {what}."
