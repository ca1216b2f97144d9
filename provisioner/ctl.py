"""`instoragectl` of a provisioner's host: `adopt` signs the PVs that carry no signature.

`shadow-key` carries the key of the encrypted passwords to other hosts, as a node's does.
Lines go to standard output, remarks to standard error. Exit status 0, 1 when a PV was left out or nothing
could be done, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import places as of_host
from instorage import version
from instorage.configuration import shadow_command
from instorage.language import said, speak
from instorage.privilege import leave_root
from instorage.tenancy.adopted import adopted_line
from instorage.wire.fault import Fault
from provisioner import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from instorage.tenancy.signature import SigningKey
    from provisioner.arrays import Arrays
    from provisioner.cluster import Object


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="instoragectl", description=said("Administer a provisioner's host.")
    )
    told = f"instoragectl {version.VERSION}"
    parser.add_argument("--version", action="version", version=told, help=said(version.HELP))
    commands = parser.add_subparsers(dest="command", required=True)
    adopt = commands.add_parser(
        "adopt",
        help=said("sign the PVs that carry no signature"),
        description=said(
            "Prints a signed line for each PV of the driver whose options carry no signature (the "
            "vendor's, hand-made ones). Put them into config/adopted beside instorage.yaml on every node."
        ),
    )
    adopt.add_argument(
        "--kubeconfig", type=Path, help=said(f"default: {places.kubeconfig()}, without it the pod's account")
    )
    adopt.add_argument("--config", type=Path, default=places.configuration(), help="instorage.yaml")
    adopt.add_argument("--key", type=Path, default=places.key_file(), help=said("the private key that signs"))
    adopt.add_argument(
        "--driver", default="inspur/instorage-flexvolume", help=said("the driver's name in a PV")
    )
    adopt.add_argument(
        "--insecure", action="store_true", help=said("do not check the API server's certificate")
    )
    shadow_command.add_to(commands)
    return parser


def adopt(given: argparse.Namespace) -> int:
    """Print the lines; root reads key and PVs, and asks the arrays as the provisioner's user."""
    from instorage.tenancy.signature import SigningKey
    from provisioner.adoption import unsigned
    from provisioner.arrays import Arrays
    from provisioner.cluster import VOLUMES, Away, Cluster, Refusal

    key = SigningKey.load(given.key, make=False)
    try:
        volumes, _ = Cluster(_kubeconfig(given.kubeconfig), insecure=given.insecure).objects(VOLUMES)
    except (Away, Refusal) as error:
        print(said(f"instoragectl: the PVs cannot be read: {error}"), file=sys.stderr)
        return 1
    leave_root(places.USER)
    arrays = Arrays(given.config, places.known_hosts())
    try:
        arrays.configuration()
        return _print(unsigned(volumes, given.driver), arrays, key)
    finally:
        arrays.close()


def _print(volumes: Iterable[Object], arrays: Arrays, key: SigningKey) -> int:
    from provisioner.adoption import namespace, signed

    status = 0
    for volume in volumes:
        name = volume["metadata"]["name"]
        if not namespace(volume):
            print(said(f"PV {name} belongs to no claim yet: adopt it when it is bound."), file=sys.stderr)
            continue
        try:
            print(adopted_line(signed(volume, arrays, key)), flush=True)
        except Fault as fault:
            print(said(f"PV {name} is left out: {fault.sentence}"), file=sys.stderr)
            status = 1
    print(said(f"The lines hold where host.volumeKey has {key.public_line}"), file=sys.stderr)
    return status


def _kubeconfig(named: Path | None) -> Path | None:
    if named is not None:
        return named
    usual = places.kubeconfig()
    return usual if usual.exists() else None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    try:
        speak()
        given = _parser().parse_args(argv)
        if given.command == "adopt":
            return adopt(given)
        nodes = of_host.plugin() / "config/instorage.yaml"
        for line in shadow_command.run(given, (places.configuration(), nodes)):
            print(said(line), flush=True)
        return 0
    except Fault as fault:
        print(said(f"instoragectl: {fault.sentence}"), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
