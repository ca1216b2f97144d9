"""What is left of an active-active expansion: the record compared with the picture on the array.

Nothing here asks the array. A relationship counts as sound only by proof: the record's `alike`, or a state
that a full synchronisation leads to, unless a `-sync` of this program may lie under it. Any other is removed,
and made again without `-sync`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.active_active import Function
from instorage.arrays.as18000.session import quoting
from instorage.arrays.as18000.volumes import more_words
from instorage.arrays.expansion import GROWS, NINE, Plan, Planned, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instorage.arrays.active_active import ActiveActive, Member
    from instorage.arrays.expansion import Expansion

STOPPED = "inconsistent_stopped"  # without -sync some firmware waits for the order to copy


def plan(record: Expansion, picture: ActiveActive) -> Plan:
    """Return the commands that are left, in order, or the questions that stand in the way of any."""
    if _complete(record, picture):
        return Plan()  # what became of it since then is no business of this expansion
    made = repaired(record, picture)
    questions = tuple(_questions(record, picture))
    if questions:
        return Plan(questions=questions, repaired=made, gone=not _copies(picture))
    if untouched(record, picture):
        why = "nothing has been done on the array yet"
        return Plan(tuple(_planned(record, picture, step, why) for step in NINE), untouched=True)
    return Plan(tuple(_left(record, picture)), repaired=made, given_up=given_up(record, picture))


def untouched(record: Expansion, picture: ActiveActive) -> bool:
    """Tell whether the array is as it was before step 1, and was so all the time.

    What was untied may have been tied by hand since, with writes in between that one copy alone has.
    """
    return picture.tied and _old_sizes(record, picture) and not record.maybe_untied


def repaired(record: Expansion, picture: ActiveActive) -> bool:
    """Tell whether somebody else has made the volume whole: all but that the copies are alike is seen.

    The volume may have grown further since.
    """
    sizes = {member.size for member in picture.members}
    return _tied_again(record, picture) and len(sizes) == 1 and min(sizes) >= record.target


def given_up(record: Expansion, picture: ActiveActive) -> bool:
    """Tell whether somebody else has tied the volume again at its old size, before any vdisk had grown."""
    return _tied_again(record, picture) and _old_sizes(record, picture)


def _tied_again(record: Expansion, picture: ActiveActive) -> bool:
    """Never while the relationship may be one that this program made with -sync over a doubtful freeze."""
    relationship = picture.relationship
    return (
        not record.maybe_synced
        and picture.tied
        and relationship is not None
        and relationship.primary != "aux"
        and (relationship.synchronized or relationship.copied_in_full)
        and not picture.stray_hosts
        and all(done(record, picture, step) for step in (Step.ACCESS, Step.START))
    )


def _old_sizes(record: Expansion, picture: ActiveActive) -> bool:
    return all(member.size == record.member(member.function).size for member in picture.members)


def words(record: Expansion, picture: ActiveActive, step: Step, *, sync: bool = False) -> tuple[str, ...]:
    """Return the command of a step; `sync` only for copies that are proven alike."""
    name = {member.function: member.name for member in picture.members}
    master = _there(picture, Function.MASTER)
    if step in GROWS:
        member = _there(picture, GROWS[step])
        return ("expandvdisksize", *more_words(record.target - member.size), member.name)
    if step is Step.UNTIE:
        return ("rmrcrelationship", master.id)
    if step is Step.TIE:
        ends = ("-master", master.name, "-aux", name[Function.AUX], "-cluster", record.system)
        return ("mkrcrelationship", *ends, *(("-sync",) if sync else ()), "-activeactive")
    if step is Step.ACCESS:
        return ("addvdiskaccess", "-iogrp", record.member(Function.AUX).io_group, master.name)
    if step is Step.START:
        return ("startrcrelationship", "-primary", "master", master.id)
    if step is Step.MASTER_CHANGE:
        return ("chrcrelationship", "-masterchange", name[Function.MASTER_CHANGE], master.id)
    return ("chrcrelationship", "-auxchange", name[Function.AUX_CHANGE], master.id)


def done(record: Expansion, picture: ActiveActive, step: Step) -> bool:
    """Tell whether the array shows what a step does."""
    relationship = picture.relationship
    if step in GROWS:
        member = picture.member(GROWS[step])
        return member is not None and member.size >= record.target
    if step is Step.UNTIE:
        return relationship is None and all(not member.shown for member in picture.members)
    if step is Step.ACCESS:
        return picture.access >= record.access
    if relationship is None:
        return False
    if step is Step.MASTER_CHANGE:
        return bool(relationship.master_change)
    if step is Step.AUX_CHANGE:
        return bool(relationship.aux_change)
    return step is Step.TIE or relationship.state != STOPPED


def _complete(record: Expansion, picture: ActiveActive) -> bool:
    grown = all(member.size == record.target for member in picture.members)
    steps = (Step.ACCESS, Step.START)
    return record.alike and picture.tied and grown and all(done(record, picture, step) for step in steps)


def _left(record: Expansion, picture: ActiveActive) -> Iterator[Planned]:
    short = [member for member in picture.members if member.size < record.target]
    why = _why_untie(record, picture, short)
    untie = picture.relationship is not None and bool(why)
    if untie:
        yield _planned(record, picture, Step.UNTIE, why)
    for step, function in GROWS.items():
        if any(member.function is function for member in short):
            size = _there(picture, function).size
            yield _planned(record, picture, step, f"it has {size} bytes, {record.target} are wanted")
    if untie or picture.relationship is None:
        why = "without -sync: the copies may differ, all of the master is copied to the aux"
        yield _planned(record, picture, Step.TIE, why)
    for step, why in (
        (Step.ACCESS, "hosts reach the volume through the master's I/O group only"),
        (Step.MASTER_CHANGE, "the master has no change volume"),
        (Step.AUX_CHANGE, "the aux has no change volume"),
    ):
        if untie or not done(record, picture, step):
            yield _planned(record, picture, step, why)
    if not untie and picture.relationship is not None and picture.relationship.state == STOPPED:
        yield _planned(record, picture, Step.START, "the array waits for the order to copy")


def _why_untie(record: Expansion, picture: ActiveActive, short: list[Member]) -> str:
    relationship = picture.relationship
    if relationship is None:
        return ""
    if short:
        return f"{', '.join(member.name for member in short)} cannot grow in a relationship"
    if record.alike or (relationship.copied_in_full and not record.maybe_synced):
        return ""
    return (
        f"it is {relationship.state}, but it may have been made over copies that differ: something may have "
        "been written while there was none"
    )


def _planned(record: Expansion, picture: ActiveActive, step: Step, reason: str) -> Planned:
    told = words(record, picture, step)
    return Planned(step, told, quoting.command("mcsop", *told), reason)


def _questions(record: Expansion, picture: ActiveActive) -> Iterator[str]:
    yield from _missing(record, picture)
    for member in picture.members:
        if member.size > record.target:
            yield (
                f"{member.name} (the {member.function}) has {member.size} bytes, more than the "
                f"{record.target} wanted: somebody else grew it. Find out to what size all four are to "
                "be grown."
            )
    others = [host for host in picture.hosts if host != record.host]
    if others:
        yield (
            f"It is mapped to {', '.join(others)}, and was to {record.host or 'this node'}: who has it there "
            "may write. Find out whether it was finished since (then «instoragectl barrier clear» forgets "
            "it); else end its pods there and take that mapping away."
        )
    if picture.stray_hosts:
        yield (
            f"The aux or a change volume is mapped to {', '.join(picture.stray_hosts)}: find out whether "
            "data were written there, which copy holds those that count, and unmap it."
        )
    relationship = picture.relationship
    if relationship is None:
        for member in (one for one in picture.members if one.relationship):
            yield (
                f"{member.name} (the {member.function}) is in relationship {member.relationship}: find out "
                "who made it, and remove it."
            )
        return
    if relationship.aux != record.member(Function.AUX).id:
        yield (
            f"The master's relationship {relationship.name} is with vdisk {relationship.aux}, not with the "
            f"aux {record.member(Function.AUX).name}: find out who made it, and remove it."
        )
    if relationship.primary == "aux":
        yield (
            f"Relationship {relationship.name} runs from the aux to the master ({relationship.state}): find "
            "out which copy holds the data that count, and switch it to the master."
        )


def _missing(record: Expansion, picture: ActiveActive) -> Iterator[str]:
    there = {member.uid for member in picture.members}
    for member in record.members:
        if member.uid not in there:
            yield (
                f"{member.name} (the {member.function}, UID {member.uid}) is not on the array any more: find "
                "out who deleted it. The volume cannot be made whole without it."
            )


def _copies(picture: ActiveActive) -> list[Member]:
    return [one for one in picture.members if one.function in (Function.MASTER, Function.AUX)]


def _there(picture: ActiveActive, function: Function) -> Member:
    member = picture.member(function)
    if member is None:
        raise ValueError(f"no {function} in the picture")  # _questions keeps plans from it
    return member
