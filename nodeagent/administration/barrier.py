"""`instoragectl barrier show | plan | resume | clear`: an active-active expansion that was broken off.

Root opens the connection to the helper, which keeps the records, and reads or removes barrier files; the
arrays are asked by the agent's user.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from instorage.privilege import leave_root
from instorage.wire.fault import Code, Fault
from instorage.wire.host_lock import LockMode
from instorage.wire.values import RequestId
from nodeagent.administration.array import USER, client
from nodeagent.expansion import barrier, barrier_text, earlier
from nodeagent.expansion.guard import HostGuard, planned
from nodeagent.host.helper_client import Helper
from nodeagent.host.paths import Paths
from nodeagent.operation import targets
from nodeagent.volume.host_object import initiator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from instorage.arrays.expansion import Expansion
    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration
    from instorage.volume_name import VolumeName

WAIT_SECONDS = 10.0
_FREE = "No barrier file is here: volumes are attached and detached."
_NONE = "No record of a broken-off active-active expansion is kept on this node"


@dataclass(frozen=True)
class Site:
    """The configuration, and the connection to the helper that root opened."""

    configuration: Configuration
    helper: Helper

    def records(self, volume: VolumeName | None = None) -> list[Expansion]:
        """Return what the helper keeps, and what only a barrier file says; of one volume, if it is named."""
        kept = list(barrier.records(self.helper.barrier()))
        for found in barrier.all_present(self.configuration):
            if found.record is not None and all(one.uid != found.record.uid for one in kept):
                kept.append(found.record)
        return [one for one in kept if volume in (None, one.volume)]

    def keep(self, records: Sequence[Expansion]) -> None:
        """Have the helper keep what only a barrier file says; `Fault(BARRIER)` when it has no place left."""
        kept = {one.uid for one in barrier.records(self.helper.barrier())}
        for record in records:
            if record.uid not in kept:
                self.helper.barrier(record.uid, record=barrier_text.line(record))

    @contextlib.contextmanager
    def array(self, name: str) -> Iterator[Array]:
        """Give a client of a configured array; root becomes the agent's user for good."""
        entry = self.configuration.array(name)
        if entry is None:
            raise Fault(Code.BAD_CONFIGURATION, f"Array {name} is not in {self.configuration.path}: add it.")
        leave_root(USER)
        with client(entry) as array:
            yield array


@contextlib.contextmanager
def site(configuration: Path) -> Iterator[Site]:
    """Read the configuration, connect to the helper."""
    from instorage.configuration.settings import load

    found = load(configuration, need_host=False)
    with Helper(Paths.from_environment().helper_socket, RequestId(secrets.token_hex(5))) as helper:
        helper.barrier()
        yield Site(found, helper)


def show(configuration: Path) -> Iterator[str]:
    """Yield which barrier files are there and which records are kept, for people."""
    with site(configuration) as here:
        found = barrier.all_present(here.configuration)
        for one in found:
            yield f"Barrier file {one.path}: {one.what[0].lower()}{one.what[1:]}; it stops this node."
        if not found:
            yield _FREE
        records = here.records()
        for record in records:
            yield (
                f"Volume {record.volume} on array {record.array}, from {record.members[0].size} to "
                f"{record.target} bytes: {record.state}. {barrier_text.how_far(record)}. "
                f"{record.failure}".rstrip()
            )
        if not records:
            yield f"{_NONE}."


def plan(configuration: Path, volume: VolumeName | None) -> Iterator[str]:
    """Yield the commands that are left and why, or what a person has to find out first."""
    with site(configuration) as here:
        records = here.records(volume)
        for record in records:
            yield f"Volume {record.volume} on array {record.array}. {barrier_text.how_far(record)}."
            with here.array(record.array) as array:
                left = array.expansion_plan(_followed(here, array, record))
            if left.whole:
                yield f"It is whole: «instoragectl barrier resume {record.volume}» forgets the record."
            for question in left.questions:
                yield f"To be found out first: {question}"
            if record.unsettled:
                yield f"Not now: for {record.unsettled:.0f} s the array may still do what was sent last."
            if left.repaired:
                yield (
                    "The array shows it whole again. Who made it so by hand, and knows that its copies are "
                    "alike, removes the barrier file («instoragectl barrier clear»), and is done. Else:"
                )
            if left.gone:
                yield "If they were deleted on purpose: «instoragectl barrier clear» forgets the record."
            if left.given_up:
                yield (
                    "The array shows it tied again at the size that it had. Who did so by hand to give the "
                    "expansion up, and knows that its copies are alike, runs «instoragectl barrier clear», "
                    "and is done. Else:"
                )
            if left.commands:
                yield "What is left, in this order (never with -sync once anything was done):"
                yield barrier_text.commands(left).rstrip("\n")
                yield f"All of it is done by: instoragectl barrier resume {record.volume}"
                if not record.maybe_synced:
                    yield "Or by hand; then «instoragectl barrier clear» removes the barrier file."
        if not records:
            yield from _without_record(here, volume)


def _without_record(here: Site, volume: VolumeName | None) -> Iterator[str]:
    if volume is None:
        yield f"{_NONE}. With the volume's name this says what its array shows."
        for one in barrier.all_present(here.configuration):
            yield (
                f"Barrier file {one.path} stops this node all the same. Who has seen that its volume is "
                "whole, or that there is none, removes it: instoragectl barrier clear"
            )
        return
    yield f"{_NONE} for volume {volume}. This is what the arrays show:"
    known = False
    for entry in here.configuration.storage:
        with here.array(entry.name) as array:
            for sentence in _findings(array, volume):
                known = True
                yield f"Array {entry.name}: {sentence}"
    if not known:
        raise Fault(Code.VOLUME_MISSING, f"No configured array has a volume {volume}.", volume=volume)


def _findings(array: Array, volume: VolumeName) -> tuple[str, ...]:
    try:
        return array.expansion_findings(volume)
    except Fault as fault:
        if fault.code is Code.VOLUME_MISSING:
            return ()
        raise


def resume(configuration: Path, volume: VolumeName | None, say: Callable[[str], None]) -> Iterator[str]:
    """Do what is left of each expansion, under the exclusive host lock; `say` takes the progress."""
    with site(configuration) as here:
        here.helper.lock(WAIT_SECONDS, LockMode.EXCLUSIVE)
        records = here.records(volume)
        if not records:
            named = f" for volume {volume}" if volume else ""
            yield f"{_NONE}{named}: nothing is to be done."
        for record in records:
            yield from _resume(here, record, say)


def _resume(here: Site, record: Expansion, say: Callable[[str], None]) -> Iterator[str]:
    yield f"Volume {record.volume} on array {record.array}: finishing its expansion to {record.target} bytes."
    mounts = [mount.target for mount in here.helper.inspect(record.uid).mounts]
    target = next((one for one in mounts if targets.is_device_mount(one)), mounts[0] if mounts else None)
    files = barrier.Files(here.configuration)
    with here.array(record.array) as array:
        guard = HostGuard(here.helper, files, record.uid, target, array.expansion_plan, say, anew=False)
        seen = array.resume_expansion(_followed(here, array, record), guard)
    state = seen.relationship.state if seen.relationship else "not shown"
    yield (
        f"Volume {record.volume} is whole: four vdisks of {seen.members[0].size} bytes, their relationship "
        f"is {state}. The barrier is gone; kubelet's next try grows the file system."
    )


def _followed(here: Site, array: Array, record: Expansion) -> Expansion:
    """Return the record with the name that this node's host object has now, found by its ports.

    Without a name when the volume is mapped, and not to this node: a name may be another object's since.
    """
    own = initiator(here.helper).port_names
    with contextlib.suppress(Fault):  # asked again for the plan; what cannot be told stays as it was
        mapped = [array.find_host(mapping.host) for mapping in array.mappings(record.volume)]
        if own and mapped:
            mine = next((host.name for host in mapped if host is not None and own & host.port_names), "")
            return replace(record, host=mine)
    return record


def clear(configuration: Path) -> Iterator[str]:
    """Remove the barrier files; a record goes only when its volume is whole, or was made so by hand."""
    with site(configuration) as here:
        here.helper.lock(WAIT_SECONDS)  # not under an expansion
        records = here.records()
        here.keep(records)  # before the only place goes that may have one
        yield from _removed(barrier.all_present(here.configuration))
        for record in records:
            with here.array(record.array) as array:
                left = planned(array.expansion_plan, record)
            if left is not None and (left.gone or earlier.over(record, left, given_up=True)):
                here.helper.barrier(record.uid, erase=True)
                yield earlier.said(record, left)
            else:
                yield (
                    f"Volume {record.volume} is not whole: its record is kept; «instoragectl barrier plan» "
                    "and «instoragectl barrier resume» work from it."
                )


def _removed(files: Sequence[barrier.Barrier]) -> Iterator[str]:
    if not files:
        yield _FREE
    for one in files:
        try:
            one.path.unlink(missing_ok=True)
        except OSError as error:
            text = f"{one.path} cannot be removed ({error.strerror}): run this as root."
            raise Fault(Code.BARRIER, text, file=str(one.path)) from None
        yield f"{one.path} is removed: volumes are attached and detached again."
