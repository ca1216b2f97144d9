"""`instoragectl fence NODE`: every volume is taken from a node that is gone, each with every check.

What `release` does for one volume: only by the array's word, given twice, that the node is logged out; and
looked at once more directly before each volume, since hundreds take a while. A node that one array says is
logged in lives, and keeps its volumes of all. There is no word of the administrator for all of them at once:
such a node loses a volume by `release` alone. What keeps one volume keeps no other (safety.md 14,
docs/fencing.md).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from nodeagent.administration.array import USER, client, meant
from nodeagent.administration.release import unmapped
from nodeagent.diagnosis.waiting import waited
from nodeagent.host import identity
from nodeagent.volume import fencing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from instorage.arrays.model import Mapping
    from instorage.arrays.protocol import Array

_AWAY = (Code.ARRAY_UNREACHABLE, Code.ARRAY_AUTHENTICATION, Code.ARRAY_HOST_KEY, Code.ARRAY_SESSIONS)
"""After these the array is asked for no further volume: each would wait as long."""


@dataclass(frozen=True)
class Held:
    """A volume by its name on the array, and the node's mappings of it."""

    name: str
    mappings: tuple[Mapping, ...]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The node's host objects that have it."""
        return tuple(mapping.host for mapping in self.mappings)


@dataclass
class Holding:
    """What one array maps to the node, or why that is not known; `kept`: what stays in the end, by name.

    `living`: why it must be taken for living, by the array's answers about all its `objects`, also those
    without a volume; of an array that failed after that, too.
    """

    array: Array
    objects: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    living: fencing.Living | None = None
    fault: Fault | None = None
    kept: list[str] = field(default_factory=list)


def fence(
    configuration: Path, node: str, *, plan: bool, storage: str | None = None, spared: Collection[str] = ()
) -> Iterator[str]:
    """Unmap every volume from the node's host objects, but those `spared`; yield lines for people.

    `plan`: the same looks, and nothing is changed. NOT_ALLOWED for this machine itself, BAD_REQUEST when what
    is to be spared is not mapped to the node, HOST_MISSING when no array knows it; at the end VOLUME_MAPPED
    when a volume stays or an array was not asked.
    """
    from instorage.configuration.settings import load

    found = load(configuration)
    assert found.host is not None  # noqa: S101  # demanded by load
    hosts = identity.host_objects(found.host, node)
    if identity.is_own(found.host, hosts):
        text = f"{node} is this machine, which lives: end its pods (kubectl drain), and it unmaps by itself."
        raise Fault(Code.NOT_ALLOWED, text, node=node)
    entries = meant(found, storage)
    leave_root(USER)
    with contextlib.ExitStack() as stack:
        with waited("asking the arrays"):
            holdings = [_asked(stack.enter_context(client(entry)), hosts) for entry in entries]
        _require_known(node, hosts, holdings, spared)
        _spread(node, holdings)
        for one in holdings:
            yield from _fenced(one, node, plan=plan, spared=spared)
    _require_done(node, holdings)


def _asked(array: Array, hosts: tuple[str, ...]) -> Holding:
    one = Holding(array)
    try:
        _ask(one, hosts)
    except Fault as fault:
        one.fault = fault
    return one


def _ask(one: Holding, hosts: tuple[str, ...]) -> None:
    """Ask for the logins first: an array that says «logged in» has said it, whatever fails afterwards."""
    there = set()
    for host in hosts:
        if (logins := one.array.host_logins(host)) is not None:
            there.add(host)
            found = fencing.judged(one.array, host, logins)
            one.living = one.living or (found if found is not None and found.seen else None)
    mapped: dict[str, list[Mapping]] = {}
    for host in hosts:
        for mapping in one.array.host_mappings(host):
            mapped.setdefault(mapping.volume, []).append(mapping)
            there.add(host)  # an object that is not shown and has a mapping says nothing of its logins
    one.objects = tuple(host for host in hosts if host in there)
    one.held = tuple(Held(name, tuple(mappings)) for name, mappings in sorted(mapped.items()))
    if one.living is None and one.objects:
        one.living = fencing.living(one.array, one.objects)


def _spread(node: str, holdings: list[Holding]) -> None:
    """Have a node that one array sees live for all of them: its other paths may come back any moment."""
    seen = next((one for one in holdings if one.living is not None and one.living.seen), None)
    for one in holdings:
        if seen is not None and seen.living is not None and one.living is None and one.fault is None:
            why = f"{node} lives by the word of array {seen.array.name}, where {seen.living.why}"
            one.living = fencing.Living(why, seen.living.mend, seen=True)


def _require_known(
    node: str, hosts: tuple[str, ...], holdings: list[Holding], spared: Collection[str]
) -> None:
    """Raise before anything is changed when the node, or what is to be spared, is misspelt."""
    if not any(one.objects or one.fault for one in holdings):
        text = (
            f"No array has a host object of node {node} ({' or '.join(hosts)}): correct the name, or say in "
            "host.objects which object is that node's."
        )
        raise Fault(Code.HOST_MISSING, text, node=node)
    unknown = set(spared) - {held.name for one in holdings for held in one.held}
    if unknown:
        named = ", ".join(sorted(unknown))
        text = f"--except {named}: no array that answers maps that to {node}. Nothing was changed."
        raise Fault(Code.BAD_REQUEST, text, node=node)


def _fenced(one: Holding, node: str, *, plan: bool, spared: Collection[str]) -> Iterator[str]:
    """Take what one array maps; a fault of a volume is said, and goes on to the next."""
    array = one.array
    if one.fault is not None:
        yield f"Array {array.name}: what it maps to {node} is not known: {one.fault}"
        return
    spare = [held.name for held in one.held if held.name in spared]
    left = [held for held in one.held if held.name not in spared]
    if spare:
        yield f"Array {array.name} goes on mapping {', '.join(spare)} to {node} (--except)."
    if not left:
        yield f"Array {array.name} maps nothing {'else ' if spare else ''}to {node}."
        return
    if one.living is not None:
        one.kept += [held.name for held in left]
        named = ", ".join(one.kept)
        yield f"Array {array.name}: {one.living.why}. Mapped as before: {named}. {one.living.mend}"
        return
    yield f"Array {array.name} says twice that {node} is logged out ({', '.join(one.objects)})."
    yield from _one_by_one(one, node, left, plan=plan)


def _one_by_one(one: Holding, node: str, left: list[Held], *, plan: bool) -> Iterator[str]:
    for number, held in enumerate(left, 1):
        try:
            yield from _volume(one.array, node, held, plan=plan)
        except Fault as fault:
            one.kept.append(held.name)
            yield f"Volume {held.name} on array {one.array.name} stays mapped to {node}: {fault}"
            if fault.code in _AWAY:
                one.kept += [rest.name for rest in left[number:]]
                yield f"Array {one.array.name} is asked no further: {len(left) - number} more stay mapped."
                return


def _volume(array: Array, node: str, held: Held, *, plan: bool) -> Iterator[str]:
    """Take one volume, or say that it would be; raises what keeps it."""
    volume = _require_whole(array, held, node)
    if plan:
        yield f"Volume {volume} on array {array.name} would be unmapped from {' and '.join(held.hosts)}."
        return

    def kept(found: fencing.Living) -> Fault:
        return Fault(Code.VOLUME_MAPPED, f"Meanwhile {found.why}. {found.mend}", volume=volume)

    if found := fencing.look(array, held.hosts):
        raise kept(found)
    unmap = fencing.LastLook(array, held.hosts, kept).unmap
    for number, host in enumerate(held.hosts, 1):
        yield unmapped(array, volume, node, host, held.hosts[number:], unmap)


def _require_whole(array: Array, held: Held, node: str) -> VolumeName:
    """Return the volume's name; raise unless it is the one that is mapped, and no half of another."""
    try:
        volume = VolumeName.parse(held.name)
    except Fault:
        text = "No volume of Kubernetes is called so: unmap it on the array if nobody uses it."
        raise Fault(Code.NOT_OURS, text, volume=held.name[:80]) from None
    found = array.find_volume(volume)
    if found is None or any(mapping.uid != found.uid for mapping in held.mappings):
        text = "It was deleted or renamed a moment ago: repeat this."
        raise Fault(Code.NOT_OURS, text, volume=volume)
    if doubt := array.doubt(found):
        text = (
            f"{doubt[:1].upper()}{doubt[1:]}. Finish a broken-off expansion first («instoragectl barrier "
            f"plan {volume}» on the node that had it last). If there was none: instoragectl release {volume} "
            f"--from {node}."
        )
        raise Fault(Code.VOLUME_NOT_READY, text, volume=volume)
    return volume


def _require_done(node: str, holdings: list[Holding]) -> None:
    kept = sum(len(one.kept) for one in holdings)
    silent = [one.array.name for one in holdings if one.fault is not None]
    said = (
        [f"{kept} of {sum(len(one.held) for one in holdings)} volumes stay mapped to {node}"] if kept else []
    )
    said += [f"what {' and '.join(silent)} maps to it is not known"] if silent else []
    if said:
        text = f"{'; '.join(said)}: see above what each needs, and repeat this."
        raise Fault(Code.VOLUME_MAPPED, f"{text[:1].upper()}{text[1:]}", node=node)
