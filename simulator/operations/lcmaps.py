"""Operations on LocalCopy maps (snapshots, clones): mklcmap, prestartlcmap, startlcmap, stoplcmap, rmlcmap.

The states are those of the fact base, section 8 rule 5; preparing and stopping take no time here. A target
gets the source's content at the start, though with a copy rate of 0 it only refers to it; the data plane
copies nothing. Maps of a relationship are the array's own: nobody changes them (inferred).
"""

import time
from dataclasses import replace

from simulator.language.arguments import Arguments, syntax, valid_name
from simulator.language.codes import ArrayError
from simulator.model import copying
from simulator.model.context import Change, Context
from simulator.model.state import LocalCopyMap, State, Vdisk, find, free_id

MKLCMAP = syntax("source= target= name= copyrate= cleanrate= autodelete incremental", takes_object=False)
PRESTARTLCMAP = syntax("restore", needs_object=True)
STARTLCMAP = syntax("prep restore", needs_object=True)
STOPLCMAP = syntax("force split", needs_object=True)
RMLCMAP = syntax("force", needs_object=True)
CHLCMAP = syntax("name= copyrate= cleanrate= autodelete=", needs_object=True)
DEFAULT_RATE, HIGHEST_RATE = 50, 150
AT_REST = ("idle_or_copied", "stopped")


def mklcmap(context: Context, arguments: Arguments) -> Change:
    """Tie a source to a target of the same size; nothing is copied before the start."""
    state = context.state
    source, target = (_end(state, arguments.require(end)) for end in ("source", "target"))
    if source.id == target.id:
        raise ArrayError("CMMVC6303E")
    if source.size != target.size:
        raise ArrayError("CMMVC5924E")
    if any(m.target == target.id for m in state.lcmaps.values()):
        raise ArrayError("CMMVC6466E")
    number = free_id(state.lcmaps)
    name = _new_name(state, arguments.get("name") or f"lcmap{number}")
    rate = _rate(arguments.get("copyrate"))
    _rate(arguments.get("cleanrate"))
    made = LocalCopyMap(
        number, name, source.id, target.id, rc_controlled=False, copy_rate=rate,
        autodelete=arguments.has("autodelete"),
    )  # fmt: skip
    return Change(state.with_lcmap(made), text=f"LocalCopy Mapping, id [{number}], successfully created\n")


def prestartlcmap(context: Context, arguments: Arguments) -> Change:
    """Prepare a map that is at rest."""
    lcmap = _lcmap(context.state, arguments)
    if lcmap.status not in AT_REST:
        raise ArrayError("CMMVC5903E")
    return Change(context.state.with_lcmap(replace(lcmap, status="prepared", progress=0)))


def startlcmap(context: Context, arguments: Arguments) -> Change:
    """Make the target what the source is now; with a copy rate it is copied in the background."""
    state, now = context.state, context.sensors.now()
    lcmap = _lcmap(state, arguments)
    if lcmap.status == "copying":
        raise ArrayError("CMMVC5907E")
    if lcmap.status not in (AT_REST if arguments.has("prep") else ("prepared",)):
        raise ArrayError("CMMVC5903E")
    started = time.strftime("%y%m%d%H%M%S", time.gmtime(now))
    under_way = replace(lcmap, status="copying", progress=0, started=started, begun=now)
    under_way = replace(under_way, until=now + context.dialect.copy_seconds)
    target = replace(state.vdisks[lcmap.target], content=state.vdisks[lcmap.source].content, status="online")
    return Change(state.with_vdisk(target).with_lcmap(under_way))


def stoplcmap(context: Context, arguments: Arguments) -> Change:
    """End the copying; a target that is not whole goes offline with it."""
    state = context.state
    lcmap = _lcmap(state, arguments)
    if lcmap.status == "stopped":
        raise ArrayError("CMMVC5912E")
    if lcmap.status == "idle_or_copied":
        return Change(state)
    if lcmap.status == "copying":
        state = state.with_vdisk(replace(state.vdisks[lcmap.target], status="offline"))
    done = copying.copied_percent(lcmap, context.sensors.now())
    return Change(state.with_lcmap(replace(lcmap, status="stopped", progress=done)))


def rmlcmap(context: Context, arguments: Arguments) -> Change:
    """Remove a map; with -force one that was stopped, whose target is online again, whatever it holds."""
    state = context.state
    lcmap = _lcmap(state, arguments)
    if lcmap.status not in AT_REST or (lcmap.status == "stopped" and not arguments.has("force")):
        raise ArrayError("CMMVC5903E")
    if lcmap.status == "stopped":
        state = state.with_vdisk(replace(state.vdisks[lcmap.target], status="online"))
    return Change(copying.without_lcmap(state, lcmap))


def chlcmap(context: Context, arguments: Arguments) -> Change:
    """Change a map's name, rate, or whether it goes once all is copied."""
    state, now = context.state, context.sensors.now()
    lcmap = _lcmap(state, arguments)
    if not arguments.values:
        raise ArrayError("CMMVC5707E")
    if arguments.get("name") is not None:
        lcmap = replace(lcmap, name=_new_name(state, arguments.require("name")))
    if arguments.get("copyrate") is not None:
        rate = _rate(arguments.get("copyrate"))
        lcmap = replace(lcmap, copy_rate=rate, begun=now, until=now + context.dialect.copy_seconds)
    _rate(arguments.get("cleanrate"))
    if arguments.get("autodelete") is not None:
        lcmap = replace(lcmap, autodelete=_switch(arguments.require("autodelete")))
    return Change(state.with_lcmap(lcmap))


def _end(state: State, key: str) -> Vdisk:
    """Return the source or the target; change volumes are no candidates."""
    vdisk = find(state.vdisks, key)
    if vdisk is None:
        raise ArrayError("CMMVC5754E")
    if vdisk.change:
        raise ArrayError("CMMVC5753E")
    return vdisk


def _lcmap(state: State, arguments: Arguments) -> LocalCopyMap:
    found = find(state.lcmaps, arguments.object or "")
    if found is None or found.rc_controlled:
        raise ArrayError("CMMVC5753E")
    return found


def _new_name(state: State, name: str) -> str:
    if find(state.lcmaps, valid_name(name)):
        raise ArrayError("CMMVC6035E")
    return name


def _rate(text: str | None) -> int:
    if text is None:
        return DEFAULT_RATE
    if not text.isdigit() or int(text) > HIGHEST_RATE:
        raise ArrayError("CMMVC5711E", text)
    return int(text)


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ArrayError("CMMVC5711E", text)
    return text == "on"
