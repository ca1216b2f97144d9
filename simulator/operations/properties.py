"""chvdisk: what a vdisk is called, how its copies allocate, which is the primary, how fast hosts may be."""

from collections.abc import Callable
from dataclasses import replace

from simulator.language.arguments import Arguments, syntax
from simulator.language.codes import ArrayError
from simulator.model.capacity import percentage
from simulator.model.context import Change, Context
from simulator.model.state import Copy, Vdisk, find
from simulator.operations.copies import copy_named
from simulator.operations.vdisks import new_name, sync_rate

CHVDISK = syntax(
    "name= warning= autoexpand= intier= copy= rate= unitmb primary= syncrate=", needs_object=True
)
OF_THIN = ("warning", "autoexpand")
OF_COPIES = (*OF_THIN, "intier")
FASTEST = 2**31 - 1


def chvdisk(context: Context, arguments: Arguments) -> Change:
    """Change one or more properties; a new name goes alone (5713E with -rate)."""
    state = context.state
    vdisk = find(state.vdisks, arguments.object or "")
    if vdisk is None:
        raise ArrayError("CMMVC5753E")
    if not {"name", "rate", "primary", "syncrate", *OF_COPIES} & arguments.values.keys():
        raise ArrayError("CMMVC5707E")
    arguments.exclude("name", "rate")
    changed = replace(vdisk, copies=tuple(_copies(vdisk, arguments)))
    if arguments.get("name") is not None:
        changed = replace(changed, name=new_name(state, arguments, vdisk.id))
    if arguments.get("rate") is not None:
        changed = replace(changed, throttling=_rate(arguments))
    if arguments.get("syncrate") is not None:
        changed = replace(changed, sync_rate=sync_rate(arguments.get("syncrate")))
    if arguments.get("primary") is not None:
        changed = _with_primary(changed, copy_named(changed, arguments.require("primary")))
    return Change(state.with_vdisk(changed))


def _copies(vdisk: Vdisk, arguments: Arguments) -> list[Copy]:
    """Return the copies with what is said of one of them, or of all."""
    number = arguments.get("copy")
    meant = vdisk.copies if number is None else (copy_named(vdisk, number),)
    wanted = {name: arguments.require(name) for name in OF_COPIES if name in arguments.values}
    if set(OF_THIN) & wanted.keys() and not any(copy.thin for copy in meant):
        raise ArrayError("CMMVC5753E")  # inferred: a thick copy is no candidate
    return [_changed(copy, wanted) if copy in meant else copy for copy in vdisk.copies]


def _changed(copy: Copy, wanted: dict[str, str]) -> Copy:
    for name, text in wanted.items():
        if name in OF_THIN and not copy.thin:
            continue
        copy = _SETTERS[name](copy, text)
    return copy


def _switch(text: str) -> str:
    if text not in ("on", "off"):
        raise ArrayError("CMMVC5711E", text)
    return text


_SETTERS: dict[str, Callable[[Copy, str], Copy]] = {
    "warning": lambda copy, text: replace(copy, warning=percentage(text)),
    "autoexpand": lambda copy, text: replace(copy, autoexpand=_switch(text) == "on"),
    "intier": lambda copy, text: replace(copy, intier=_switch(text)),
}


def _rate(arguments: Arguments) -> str:
    text = arguments.require("rate")
    if not text.isdigit() or int(text) > FASTEST:
        raise ArrayError("CMMVC5711E", text)
    return f"{int(text)}{'MB' if arguments.has('unitmb') and int(text) else ''}"


def _with_primary(vdisk: Vdisk, copy: Copy) -> Vdisk:
    return replace(vdisk, copies=(copy, *(other for other in vdisk.copies if other != copy)))
