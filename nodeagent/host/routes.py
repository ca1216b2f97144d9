"""Whether the kernel has a route to an address over a link that is up."""

from __future__ import annotations

import errno
import logging
import socket

_LOG = logging.getLogger(__name__)
_LOWER_UP = 0x10000  # IFF_LOWER_UP: the link has a carrier
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL)


def link(address: str) -> tuple[str, int]:
    """Return name and MTU (bytes) of the link to an address; («», 0) when that is not known."""
    from pyroute2 import IPRoute, NetlinkError

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with IPRoute() as netlink:
            found = list(netlink.route("get", dst=address, family=family))
            index = found[0].get_attr("RTA_OIF") if found else None
            out = netlink.get_links(index)[0] if index else None
    except (NetlinkError, OSError) as error:
        _LOG.debug("The link to %s could not be looked up: %s", address, error)
        return "", 0
    return (str(out.get_attr("IFLA_IFNAME")), int(out.get_attr("IFLA_MTU"))) if out else ("", 0)


def no_route(address: str) -> str | None:
    """Return why `address` (numeric) cannot be reached by its route, None when nothing speaks against it.

    A look-up that itself fails says nothing: None, and the probe decides.
    """
    from pyroute2 import IPRoute, NetlinkError  # slow to import, and not needed while sessions are there

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with IPRoute() as netlink:
            routes = list(netlink.route("get", dst=address, family=family))
            index = routes[0].get_attr("RTA_OIF") if routes else None
            link = netlink.get_links(index)[0] if index else None
    except NetlinkError as error:
        return "no route" if error.code in _NO_ROUTE else None
    except OSError as error:
        _LOG.debug("The route to %s could not be looked up: %s", address, error)
        return None
    if link is not None and not link["flags"] & _LOWER_UP:
        return f"link {link.get_attr('IFLA_IFNAME')} is down"
    return None
