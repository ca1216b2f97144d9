"""Who holds a port that the array gives to nobody else: found for the sentence of a refusal alone."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instorage.arrays.as18000 import hosts
from instorage.arrays.as18000.session.quoting import object_id
from instorage.operation import overlap, within
from instorage.wire.fault import Fault
from instorage.wire.values import Wwpn

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import Host

SECONDS = 10.0  # a command for each of a thousand objects: an attach must not spend its time on a sentence


@dataclass(frozen=True)
class Search:
    """What was found, how many host objects were looked at, and whether that is all of them."""

    holder: Host | None
    read: int = 0
    whole: bool = False


def search(cli: Cli, ports: frozenset[str], *, width: int) -> Search:
    """Look for one of the ports (as `Host.port_names` has them), `width` objects at the same time."""
    deadline = time.monotonic() + SECONDS
    with within(SECONDS):
        try:
            found = by_logins(cli, ports)
            numbers = [] if found else [object_id(row["id"], "host") for row in cli.sure_rows("lshost")]
        except Fault:
            return Search(None)
        return Search(found) if found else _one_by_one(cli, ports, numbers, deadline, width)


def by_logins(cli: Cli, ports: frozenset[str]) -> Host | None:
    """Ask the fabric, which names the object of a WWPN that is logged in: a command for each until then."""
    for port in sorted(ports):
        if not Wwpn.pattern.fullmatch(port):
            continue  # an IQN
        for row in cli.rows("lsfabric", "-wwpn", port.upper()):
            if row["remote_wwpn"].lower() == port and row.get("name"):
                return hosts.find(cli, row["name"])
    return None


def _one_by_one(cli: Cli, ports: frozenset[str], numbers: list[str], deadline: float, width: int) -> Search:
    found: list[Host] = []
    done = threading.Event()

    def look(number: str) -> bool:
        """Return whether that object was looked at; one that cannot be read hides no other."""
        if done.is_set() or time.monotonic() > deadline:
            return False
        try:
            host = hosts.numbered(cli, number)
        except Fault:
            return False
        if host is not None and ports & host.port_names:
            found.append(host)
            done.set()
        return True

    looked = overlap([lambda number=number: look(number) for number in numbers], width=width)  # type: ignore[misc]
    return Search(found[0] if found else None, looked.count(True), all(looked))
