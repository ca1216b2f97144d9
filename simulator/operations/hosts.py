"""Operations on host objects: mkhost, addhostport, rmhostport, chhost, rmhost."""

import re
from dataclasses import replace

from simulator.language.arguments import Arguments, syntax, valid_name
from simulator.language.codes import ArrayError
from simulator.model.context import Change, Context, Step
from simulator.model.state import Host, Port, State, find, free_id
from simulator.model.topology import PORTSETS, SITES

MKHOST = syntax(
    "force iscsiname= hbawwpn= saswwpn= nqn= name= site= portset= protocol= nvmetransport= type= iogrp=",
    takes_object=False,
)
ADDHOSTPORT = syntax("force iscsiname= hbawwpn= saswwpn= nqn=", needs_object=True)
RMHOSTPORT = syntax("force iscsiname= hbawwpn= saswwpn= nqn=", needs_object=True)
RMHOST = syntax("force", needs_object=True)
CHHOST = syntax("force name= site= nosite portset= chapsecret= nochapsecret", needs_object=True)

KINDS = {"iscsiname": "iscsi", "hbawwpn": "fc", "saswwpn": "sas", "nqn": "nvme"}
TAKEN = {"iscsi": "CMMVC6578E", "fc": "CMMVC5867E", "sas": "CMMVC5867E", "nvme": "CMMVC9328E"}
FORMS = {
    "iscsi": re.compile(r"(iqn\.[0-9]{4}-[0-9]{2}\.|eui\.|naa\.)[a-z0-9._:-]{1,200}"),
    "fc": re.compile(r"[0-9A-F]{16}"),
    "sas": re.compile(r"[0-9A-F]{16}"),
    "nvme": re.compile(r"nqn\.[a-z0-9.:-]{1,219}", re.IGNORECASE),
}


def mkhost(context: Context, arguments: Arguments) -> Change:
    """Make a host object with its first ports."""
    state = context.state
    ports = _new_ports(state, arguments)
    host_id = free_id(state.hosts)
    name = valid_name(arguments.get("name") or f"host{host_id}")
    if find(state.hosts, name):
        raise ArrayError("CMMVC6035E")
    host = Host(
        host_id,
        name,
        ports,
        site=_site(arguments.get("site")),
        type=arguments.get("type") or "generic",
        portset=_portset(arguments.get("portset")),
    )
    steps = tuple(_admit(port) for port in _served(context, ports))
    return Change(state.with_host(host), steps, f"Host, id [{host_id}], successfully created\n")


def addhostport(context: Context, arguments: Arguments) -> Change:
    """Give a host more ports; volumes mapped already show on these ports, too."""
    state = context.state
    host = find(state.hosts, arguments.object or "")
    if host is None:
        raise ArrayError("CMMVC5753E")
    ports = _new_ports(state, arguments)
    names = [port.name for port in _served(context, ports)]
    steps = [_admit(port) for port in _served(context, ports)]
    for mapping in state.maps_of_host(host):
        vdisk = state.vdisks[mapping.vdisk]
        steps += show(context, vdisk.uid, vdisk.size, vdisk.access, names, mapping.lun)
    return Change(state.with_host(replace(host, ports=host.ports + ports)), tuple(steps))


def rmhostport(context: Context, arguments: Arguments) -> Change:
    """Take ports from a host, whatever I/O they have: they see none of its volumes any more."""
    state = context.state
    host = find(state.hosts, arguments.object or "")
    if host is None:
        raise ArrayError("CMMVC5753E")
    kind, names = _given(arguments)
    gone = tuple(port for port in host.ports if port.kind == kind and port.name in names)
    if len(gone) < len(names):
        raise ArrayError("CMMVC5842E")
    steps = [_expel(port.name) for port in _served(context, gone)]
    rest = tuple(port for port in host.ports if port not in gone)
    return Change(state.with_host(replace(host, ports=rest)), tuple(steps))


def chhost(context: Context, arguments: Arguments) -> Change:
    """Change a host's name, site, portset or CHAP secret (for which the data plane does not ask).

    Its mappings stay. From one site to another only by force, as IBM's documents say.
    """
    host = find(context.state.hosts, arguments.object or "")
    if host is None:
        raise ArrayError("CMMVC5753E")
    arguments.exclude("chapsecret", "nochapsecret")
    arguments.exclude("site", "nosite")
    if not arguments.values and not arguments.switches - {"force"}:
        raise ArrayError("CMMVC5707E")
    if "name" in arguments.values:
        host = replace(host, name=_new_name(context.state, host, arguments.values["name"]))
    if "site" in arguments.values or arguments.has("nosite"):
        host = replace(host, site=_new_site(host, arguments))
    if "portset" in arguments.values:
        host = replace(host, portset=_portset(arguments.get("portset")))
    if "chapsecret" in arguments.values or arguments.has("nochapsecret"):
        host = replace(host, chap=arguments.get("chapsecret") or "")
    return Change(context.state.with_host(host))


def rmhost(context: Context, arguments: Arguments) -> Change:
    """Remove a host that has no mappings."""
    state = context.state
    host = find(state.hosts, arguments.object or "")
    if host is None:
        raise ArrayError("CMMVC5753E")
    if state.maps_of_host(host):
        raise ArrayError("CMMVC5871E")
    steps = tuple(_expel(name) for name in host.names(*context.topology.port_kinds))
    return Change(state.without_host(host), steps)


def show(
    context: Context, uid: str, size: int, access: tuple[int, ...], names: list[str], lun: int
) -> list[Step]:
    """Return the steps that show a volume to these initiators, none if no I/O group of it has a port."""
    if not context.topology.exporting_groups() & set(access):
        return []
    return [_show(uid, size, name, lun) for name in names]


def hide(uid: str, size: int, names: list[str], lun: int) -> list[Step]:
    """Return the steps that take a volume from these initiators."""
    return [_hide(uid, size, name, lun) for name in names]


def _served(context: Context, ports: tuple[Port, ...]) -> list[Port]:
    return [port for port in ports if port.kind in context.topology.port_kinds]


def _show(uid: str, size: int, name: str, lun: int) -> Step:
    return Step(lambda plane: plane.map(uid, size, name, lun), lambda plane: plane.unmap(name, lun))


def _hide(uid: str, size: int, name: str, lun: int) -> Step:
    return Step(lambda plane: plane.unmap(name, lun), lambda plane: plane.map(uid, size, name, lun))


def _admit(port: Port) -> Step:
    return Step(lambda plane: plane.admit(port.name), lambda plane: plane.expel(port.name))


def _expel(name: str) -> Step:
    return Step(lambda plane: plane.expel(name), lambda plane: plane.admit(name))


def _given(arguments: Arguments) -> tuple[str, list[str]]:
    """Return the kind of the ports on the command line, and their names."""
    arguments.exclude(*KINDS)
    given = [(kind, arguments.values[flag]) for flag, kind in KINDS.items() if flag in arguments.values]
    if not given:
        raise ArrayError("CMMVC5707E")
    kind, text = given[0]
    # IQNs may hold colons, so only WWPNs come as a colon list; IQNs and NQNs as a comma list.
    names = text.upper().split(":") if kind in ("fc", "sas") else text.split(",")
    return kind, [name.lower() for name in names] if kind == "iscsi" else names


def _new_ports(state: State, arguments: Arguments) -> tuple[Port, ...]:
    kind, names = _given(arguments)
    taken = {port.name for host in state.hosts.values() for port in host.ports}
    for name in names:
        if name in taken or not FORMS[kind].fullmatch(name) or names.count(name) > 1:
            raise ArrayError(TAKEN[kind])
    return tuple(Port(kind, name) for name in names)


def _site(text: str | None) -> int:
    if text is None:
        return 0
    for number, name in SITES.items():
        if text in (str(number), name):
            return number
    raise ArrayError("CMMVC5754E")


def _new_site(host: Host, arguments: Arguments) -> int:
    site = _site(arguments.get("site"))
    if host.site not in (0, site) and not arguments.has("force"):
        raise ArrayError("CMMVC9999E", host.name)
    return site


def _new_name(state: State, host: Host, name: str) -> str:
    other = find(state.hosts, valid_name(name))
    if other is not None and other.id != host.id:
        raise ArrayError("CMMVC6035E")
    return name


def _portset(text: str | None) -> int:
    number = (text or "0").removeprefix("portset")
    if number.isdigit() and int(number) in PORTSETS:
        return int(number)
    raise ArrayError("CMMVC5754E")
