"""This node's names on the SAN: initiator name, Fibre Channel ports, and who has them on the arrays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from instorage.wire.fault import Fault
from instorage.wire.values import Iqn
from nodeagent.diagnosis.finding import Finding, Severity, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host
    from nodeagent.administration.doctor.looks import Looks

CHECK = "initiator"
FILE = "/etc/iscsi/initiatorname.iscsi"
FC = "/sys/class/fc_host"
_LINE = re.compile(r"^\s*InitiatorName\s*=\s*(.*?)\s*$", re.MULTILINE)


def names(looks: Looks) -> list[str]:
    """Return the initiator names that the file gives, valid or not; none when it cannot be read."""
    try:
        return _LINE.findall(looks.text(FILE))
    except OSError:
        return []


def ports(looks: Looks) -> tuple[str, ...]:
    """Return this node's ports as arrays compare them: IQN and WWPNs in lower case."""
    found = [name.casefold() for name in names(looks)]
    for one in looks.names(FC):
        found += [_sysfs(looks, one, "port_name").removeprefix("0x")]
    return tuple(name for name in found if name)


def check(host: Host) -> Iterator[Finding]:
    """Find a name that is missing, wrong, or another machine's."""
    if host.setup.link != "fc":
        bad = list(_syntax(host.looks))
        yield from bad
        if bad:
            return
    if host.setup.arrays:
        for array, said in host.arrays().items():
            yield from _on_array(host, array, said)


def _syntax(looks: Looks) -> Iterator[Finding]:
    make = f"echo InitiatorName=$(/sbin/iscsi-iname) >{FILE}; systemctl restart iscsid"
    try:
        found = _LINE.findall(looks.text(FILE))
    except FileNotFoundError:
        sentence = f"{FILE} is not there, so this node has no initiator name."
        yield Finding(CHECK, "initiator-missing", Severity.ERROR, sentence, command=make, proof=FILE)
        return
    except PermissionError:
        sentence = f"{FILE} cannot be read by who is not root."
        yield Finding(
            CHECK, "not-seen", Severity.OK, sentence, command="sudo instoragectl doctor", proof=FILE
        )
        return
    if len(found) != 1:
        sentence = f"{FILE} gives {len(found)} initiator names, and one is wanted."
        yield Finding(
            CHECK, "initiator-number", Severity.ERROR, sentence, command=f"correct {FILE}", proof=FILE
        )
        return
    try:
        Iqn.parse(found[0])
    except Fault:
        yield Finding(
            CHECK, "initiator-syntax", Severity.ERROR,
            f"{found[0][:100]!r} in {FILE} is no initiator name: arrays refuse it.",
            cause="It must be iqn.YEAR-MONTH.REVERSED.DOMAIN, and «:» and a text, in lower case.",
            command=make, proof=FILE,
        )  # fmt: skip


def _on_array(host: Host, array: str, said: dict[str, Any]) -> Iterator[Finding]:
    mine = set(ports(host.looks))
    holder = said.get("holder")
    if holder:
        held = ", ".join(one["name"] for one in holder["ports"] if one["name"].casefold() in mine)
        yield Finding(
            CHECK, "initiator-not-unique", Severity.ERROR,
            f"Array {array} knows {held} as host {holder['name']}, which is none of this node's names "
            f"({', '.join(host.setup.host_names)}).",
            cause="Another machine has the same name (a clone), or the object was renamed.",
            risk="Two nodes with one name would both get the same volumes, and write both.",
            command=f"on a clone: echo InitiatorName=$(/sbin/iscsi-iname) >{FILE}; systemctl restart iscsid. "
            f"For a renamed object: host.objects: {{{host.setup.node}: {holder['name']}}}",
            proof=f"lshost {holder['name']} on array {array}",
        )  # fmt: skip
    for one in said["hosts"]:
        foreign = [port["name"] for port in one["ports"] if port["name"].casefold() not in mine]
        if foreign:
            yield Finding(
                CHECK, "host-object-foreign", Severity.ERROR,
                f"Host {one['name']} on array {array} has {', '.join(foreign)}, no port of this node.",
                cause="The initiator name of this node was changed, or another node has the same node name.",
                risk="Nothing is attached to this node.", who=Who.ARRAY,
                command=f"see which machine has that port, before it goes: mcsinq lshost {one['name']}",
                proof=f"lshost {one['name']} on array {array}",
            )  # fmt: skip


def fibre_channel(host: Host) -> Iterator[Finding]:
    """Find Fibre Channel links that are down, on a node that uses them."""
    if host.setup.link != "fc":
        return
    found = {one: _sysfs(host.looks, one, "port_state") for one in host.looks.names(FC)}
    if not found:
        yield Finding(
            "fc", "fc-no-port", Severity.ERROR, "This node has no Fibre Channel port, and host.link is fc.",
            risk="Nothing is attached.", command="load the adapter's driver, or use link: iscsi", proof=FC,
        )  # fmt: skip
    down = {one: state for one, state in found.items() if state != "Online"}
    for one, state in down.items():
        severity = Severity.ERROR if len(down) == len(found) else Severity.WARNING
        yield Finding(
            "fc", "fc-link-down", severity, f"Fibre Channel port {one} is {state or 'not readable'}.",
            risk="Volumes have fewer paths, or none.", who=Who.SAN,
            command=f"check cable, transceiver and switch port of {_sysfs(host.looks, one, 'port_name')}",
            proof=f"{FC}/{one}/port_state",
        )  # fmt: skip


def _sysfs(looks: Looks, name: str, what: str) -> str:
    try:
        return looks.text(f"{FC}/{name}/{what}").strip()
    except OSError:
        return ""
