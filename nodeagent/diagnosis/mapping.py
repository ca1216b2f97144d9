"""What the arrays say of a volume: whether it is there and online, to whom it is mapped, its pool."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from instorage import operation
from instorage.volume_name import VolumeName
from instorage.wire.fault import Fault
from nodeagent.diagnosis import remedy
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import ARRAY, KUBERNETES, NOBODY, NODE, RIGHT, UNSEEN, WAITS, WRONG, Link
from nodeagent.diagnosis.waiting import waited
from nodeagent.host import identity
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from instorage.arrays.model import Mapping, Volume
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration, StorageSettings

SLOW_SECONDS = 5.0  # from this on an array that answers is called slow
_AT_ONCE = 8  # arrays
LOOK_SECONDS = 20.0  # that it may take: an array whose SSH sessions are all taken is waited for no longer


def links(
    name: str,
    configuration: Configuration,
    storage: str = "",
    opened: Callable[[StorageSettings], Array] | None = None,
) -> Iterator[Link]:
    """Yield what each configured array says of a volume; `storage` alone, when it is known to be its."""
    entries = [entry for entry in configuration.storage if storage in ("", entry.name)]
    if not entries:
        known = ", ".join(entry.name for entry in configuration.storage)
        text = f"Array {storage} is not in {configuration.path} (there: {known}): add it."
        yield Link("array", WRONG, text, NODE, remedy.CHECK, 0.0, str(configuration.path))
    with waited(f"asking {', '.join(entry.name for entry in entries)}"), ThreadPoolExecutor(_AT_ONCE) as pool:
        silent = WRONG if storage or len(entries) == 1 else UNSEEN  # it may be on another array

        def look(entry: StorageSettings) -> list[Link]:
            return list(_of_array(name, configuration, (opened or _opened)(entry), silent))

        found = dict(zip(entries, pool.map(look, entries), strict=True))
    for said in found.values():
        yield from said
    without = [entry.name for entry, said in found.items() if not said]
    if entries and len(without) == len(entries):
        text = f"No volume {name} is on {', '.join(without)}: it was deleted, renamed, or never made."
        proof = f"mcsinq lsvdisk on {', '.join(without)}"
        command = typed("mcsinq lsvdisk -filtervalue name={}", name, without="mcsinq lsvdisk")
        yield Link("array", WRONG, text, ARRAY, command, 0.0, proof)


def _opened(entry: StorageSettings) -> Array:
    from instorage.arrays.pool import array_client

    return array_client(entry, Paths.from_environment().state / "known_hosts")


def _of_array(name: str, configuration: Configuration, array: Array, silent: str) -> Iterator[Link]:
    began = time.monotonic()
    with contextlib.closing(array), operation.within(LOOK_SECONDS):
        try:
            volume = array.find_volume(VolumeName.parse(name))
            if volume is None:
                return
            found = [*_volume(volume, array), *_mapped(volume, configuration, array), *_pool(volume, array)]
        except Fault as fault:
            mend = remedy.of_code(fault.code.value, volume=name, array=array.name)
            text, proof = f"Array {array.name} was not asked: {fault.sentence}", f"SSH to {array.name}"
            yield Link("array", silent, text, mend.who, mend.command, 0.0, proof)
            return
    took = time.monotonic() - began
    if took > SLOW_SECONDS:
        text = f"Array {array.name} is slow: it took {took:.0f} s to say what it has of the volume."
        yield Link("array", WAITS, text, ARRAY, "instoragectl times --since -1h", 0.0, f"timed: {took:.1f} s")
    yield from found


def _volume(volume: Volume, array: Array) -> Iterator[Link]:
    proof = f"mcsinq lsvdisk {volume.name} on {array.name}"
    what = f"Volume {volume.name} of {volume.size >> 20} MiB ({volume.level.value}) on array {array.name}"
    command = typed("mcsinq lsvdisk {}", str(volume.name), without="mcsinq lsvdisk")
    if not volume.online:
        text = f"{what} is offline: see its pool and its nodes there."
        yield Link("array", WRONG, text, ARRAY, command, 0.0, proof)
    elif doubt := array.doubt(volume):
        text = f"{what}: {doubt}."
        command = typed("instoragectl barrier plan {}", str(volume.name), without="instoragectl barrier plan")
        yield Link("array", WRONG, text, NODE, command, 0.0, proof)
    elif volume.degraded:
        text = f"{what} is degraded: {volume.degraded}. It is used through the other site."
        yield Link("array", WRONG, text, ARRAY, command, 0.0, proof)
    else:
        yield Link("array", RIGHT, f"{what} is online, UID {volume.uid}.", NOBODY, "", 0.0, proof)


def _mapped(volume: Volume, configuration: Configuration, array: Array) -> Iterator[Link]:
    proof = f"mcsinq lsvdiskhostmap {volume.name} on {array.name}"
    mappings = array.mappings(volume.name)
    if not mappings:
        yield Link("array", RIGHT, f"{volume.name} is mapped to no host: it is free.", NOBODY, "", 0.0, proof)
    for mapping in mappings:
        yield _mapping(volume, mapping, configuration, array, proof)


def _mapping(
    volume: Volume, mapping: Mapping, configuration: Configuration, array: Array, proof: str
) -> Link:
    own = configuration.host is not None and identity.is_own(configuration.host, (mapping.host,))
    host = array.find_host(mapping.host)
    whose = " (this node)" if own else ""
    luns = ", ".join(sorted({str(int(lun)) for _, lun in mapping.luns}))
    if host is None:
        text = f"{volume.name} is mapped to host {mapping.host}{whose}, which could not be looked at."
        return Link("array", UNSEEN, text, NOBODY, "", 0.0, proof)
    if host.logged_in:
        text = f"{volume.name} is mapped to host {mapping.host}{whose} as LUN {luns}, which is logged in."
        return Link("array", RIGHT, text, NOBODY, "", 0.0, f"{proof}; lshost {mapping.host}")
    node = remedy.node_of(mapping.host)
    text = f"{volume.name} is mapped to host {mapping.host}{whose}, which is not logged in to the array: "
    proof = f"{proof}; lshost {mapping.host}"
    if own:  # so it is for a moment in each attach
        text += "this node has no session with it."
        command = remedy.doctor(str(volume.name))
        return Link("array", WAITS, text, NODE, command, 0.0, proof)
    text += "no other node gets the volume until it is taken from that one, or that one lets it go."
    if not node:  # not named by the rule: whose it is the array's administrator may know
        command = typed("mcsinq lshost {}", str(mapping.host), without="mcsinq lshost")
        return Link("array", WRONG, text, ARRAY, command, 0.0, proof)
    command = typed("instoragectl release {} --from {}", str(volume.name), node)
    return Link("array", WRONG, text, KUBERNETES, command, 0.0, proof)


def _pool(volume: Volume, array: Array) -> Iterator[Link]:
    for name in volume.pools:
        pool = array.pool(name)
        if pool is None:  # «many», or the array hesitates
            continue
        proof, command = f"mcsinq lsmdiskgrp {name} on {array.name}", typed("mcsinq lsmdiskgrp {}", str(name))
        if not pool.online or pool.free == 0:
            state = "offline" if not pool.online else "full"
            text = f"Pool {name} of array {array.name}, in which the volume lies, is {state}."
            yield Link("array", WRONG, text, ARRAY, command, 0.0, proof)
        else:
            text = f"Pool {name} has {pool.free >> 30} of {pool.capacity >> 30} GiB free."
            yield Link("array", RIGHT, text, NOBODY, "", 0.0, proof)
