"""The program instorage-simulator: an array for tests, from the command line."""

import argparse
import signal
import sys
from pathlib import Path

from simulator.array import POOLS, Settings, Simulator
from simulator.dataplane.lio import LioDataPlane
from simulator.dataplane.plane import DataPlane, NoDataPlane, is_wwpn
from simulator.dataplane.remote import RemoteDataPlane
from simulator.face.algorithms import Offer
from simulator.face.limits import Limits
from simulator.language.dialect import Dialect
from simulator.model.topology import PORTALS, Topology


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser("instorage-simulator", description=__doc__)
    add = parser.add_argument
    add("--listen", action="append", metavar="HOST:PORT|unix:PATH", help="default 127.0.0.1:0; repeatable")
    add("--state", type=Path, required=True, metavar="DIR", help="state and host key")
    add("--control", type=Path, required=True, metavar="PATH", help="control socket, see simulator.control")
    add("--dataplane", default="none", metavar="none|lio|unix:PATH", help="who exports the volumes")
    add("--backing", type=Path, default=Path("/var/lib/lio"), metavar="DIR", help="volumes' files with lio")
    add("--user", default="superuser")
    add("--password-file", type=Path, help="its first line; default passw0rd")
    add("--key", action="append", default=[], metavar="FILE", help="public key that may log in; repeatable")
    add("--pools", default=POOLS, help=f"default {POOLS}")
    add("--name", default="mcs1", help="the system's name")
    add("--uid-prefix", default="", help="hex digits that every volume UID begins with")
    add("--iqn-base", default="", help="target IQNs without .nodeN")
    add(
        "--portal",
        action="append",
        metavar="NODE=ADDRESS:PORT",
        help="default 1=10.9.0.1:3260 2=10.9.1.1:3260",
    )
    add("--fc-port", action="append", default=[], metavar="NODE=WWPN", help="a real one of the data plane")
    add("--zone", default="", metavar="WWPN,...", help="FC initiators that the fabric lets log in")
    add(
        "--dialect",
        action="append",
        default=[],
        metavar="SWITCH=VALUE",
        help="see simulator.language.dialect",
    )
    add("--ssh-kex", default="", metavar="NAME,...", help="key exchanges offered, SHA-1 too; default modern")
    add("--ssh-keys", default="", metavar="NAME,...", help="host key algorithms offered, ssh-rsa too")
    limits = Limits()
    add("--limit-burst", type=int, default=limits.burst, help="0: none")
    add("--limit-rate", type=float, default=limits.rate, help="new connections per second after the burst")
    add("--limit-unauthenticated", type=int, default=limits.unauthenticated, help="0: none")
    add("--limit-active", type=int, default=limits.active, help="0: none")
    add("--limit-channels", type=int, default=limits.channels, help="per connection; 0: none")
    return parser


def settings(given: argparse.Namespace) -> Settings:
    """Turn the command line into settings; ValueError."""
    password = given.password_file.read_text().splitlines()[0] if given.password_file else "passw0rd"
    return Settings(
        state=given.state,
        control=given.control,
        listen=tuple(given.listen or ("127.0.0.1:0",)),
        user=given.user,
        password=password,
        keys=tuple(Path(key).read_text().split()[1] for key in given.key),
        pools=given.pools,
        limits=Limits(
            given.limit_burst,
            given.limit_rate,
            given.limit_unauthenticated,
            given.limit_active,
            given.limit_channels,
        ),
        dialect=Dialect().changed(dict(switch.split("=", 1) for switch in given.dialect)),
        topology=_topology(given),
        offer=Offer(_names(given.ssh_kex), _names(given.ssh_keys)),
    )


def _topology(given: argparse.Namespace) -> Topology:
    portals = {int(node): portal for node, _, portal in (one.partition("=") for one in given.portal or [])}
    wwpns: dict[int, tuple[str, ...]] = {}
    for node, _, wwpn in (one.partition("=") for one in given.fc_port):
        wwpns[int(node)] = (*wwpns.get(int(node), ()), wwpn)
    for wwpn in (*_names(given.zone), *(wwpn for ports in wwpns.values() for wwpn in ports)):
        if not is_wwpn(wwpn):
            raise ValueError(f"a WWPN is 16 upper-case hex digits, not {wwpn!r}")
    return Topology(
        given.name,
        portals or dict(PORTALS),
        given.iqn_base,
        given.uid_prefix,
        wwpns=wwpns,
        zone=_names(given.zone),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def data_plane(text: str, backing: Path) -> DataPlane:
    """Return the data plane of this name."""
    if text == "none":
        return NoDataPlane()
    if text == "lio":
        return LioDataPlane(backing)
    return RemoteDataPlane(Path(text.removeprefix("unix:")))


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # before any thread: all of them leave it to sigwait
    given = arguments().parse_args()
    with Simulator(settings(given), data_plane(given.dataplane, given.backing)) as array:
        print(array.ready(), flush=True)
        signal.sigwait(ending)
    return 0


if __name__ == "__main__":
    sys.exit(main())
