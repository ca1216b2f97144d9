"""Whether a host object is logged in, from lshost and, for Fibre Channel, from lsfabric as well.

lshost counts the nodes at which a port is logged in, and names its state; lsfabric has a row for each login
of a WWPN, whatever host object it is in. A WWPN is logged out when both say so. What one of them says in
words that are not known here is no word that it is logged out (array-as18000.md 4.9, 4.13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.arrays.as18000 import hosts
from instorage.arrays.logins import HostLogins, Login, PortLogin

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.cli import Cli
    from instorage.arrays.model import HostPort

_OUT = ("offline", "inactive")  # with a count of 0: «inactive» with a login is one that has no volume


def read(cli: Cli, name: str) -> HostLogins | None:
    """Return the logins of a host object, None when the array says that there is none of that name.

    One command, and one for each WWPN that lshost calls logged out. Raises what the array raises, and
    ARRAY_ANSWER for a count that is no number: an answer in part is none.
    """
    host = hosts.find(cli, name)
    if host is None:
        return None
    return HostLogins(host.name, tuple(_port(cli, port) for port in host.ports), host.unread, host.status)


def _port(cli: Cli, port: HostPort) -> PortLogin:
    fc = port.kind == "fc"
    if port.logins > 0:
        return PortLogin(port.name, Login.IN, f"at {port.logins} of the array's nodes by lshost", fc)
    if port.active:
        return PortLogin(port.name, Login.IN, f"«{port.state}» by lshost", fc)
    if port.state not in _OUT:
        shown = f"its state by lshost is «{port.state[:40]}»" if port.state else "lshost names no state of it"
        return PortLogin(port.name, Login.UNKNOWN, shown, fc)
    return _in_fabric(cli, port) if fc else PortLogin(port.name, Login.OUT, port.state)


def _in_fabric(cli: Cli, port: HostPort) -> PortLogin:
    """Look for logins that lshost does not count; a row in any state is one, `blocked` included."""
    rows = cli.sure_rows("lsfabric", "-wwpn", port.name.upper())
    strange = [row for row in rows if row["remote_wwpn"].lower() != port.name]
    if strange:
        raise strange[0].source.misfit(f"it is about {strange[0]['remote_wwpn'][:40]}", column="remote_wwpn")
    nodes = ", ".join(dict.fromkeys(row.get("node_name") or "a node without a name" for row in rows))
    if nodes:
        return PortLogin(port.name, Login.IN, f"at {nodes} by lsfabric", fc=True)
    return PortLogin(port.name, Login.OUT, f"{port.state} by lshost, and not in lsfabric", fc=True)
