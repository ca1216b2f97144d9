"""The program `instorage-provisioner` (manual 4.5).

As on a node (4.4), `ext-encrypt-password` makes the shadow of a password, and `ext-check-cfg` says what is
wrong with the configuration.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from instorage.configuration import cipher_key, shadow_command
from instorage.configuration.sample import SAMPLE_18000
from instorage.configuration.settings import load
from instorage.configuration.usage import UsageError
from instorage.version import VERSION
from instorage.wire.fault import Fault
from provisioner import glog
from provisioner.flags import Flags, Stop, beside, parse

CHECK = "ext-check-cfg"


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM; return the exit status."""
    program, arguments = Path(sys.argv[0]), sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == [shadow_command.ENCRYPT]:
        return encrypt(arguments[1:])
    if arguments[:1] == [CHECK]:
        return check(arguments[1:] or [str(beside(program))])
    try:
        flags = parse(sys.argv[0], arguments)
    except Stop as stop:
        sys.stderr.write(str(stop))
        return stop.status
    if flags.sample:
        sys.stdout.write(SAMPLE_18000)
        return 0
    if flags.about:
        print(about(flags))
        return 0
    try:
        log = glog.Log(flags)
        from provisioner.assembly import build  # slow to import: not for -h

        service = build(flags, flags.configuration(program), log.apply)
    except (Fault, OSError) as error:
        print(f"instorage-provisioner: {error}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    threading.excepthook = service.broken
    return 0 if service.run() else 1


def check(paths: list[str]) -> int:
    """Print what is wrong with a configuration, and what deserves a warning; return the exit status."""
    try:
        found = load(Path(paths[0]), need_host=False, key_file=cipher_key.key_file())
    except Fault as fault:
        print(fault.sentence)
        return 1
    for warning in found.warnings:
        print(f"warning: {warning}")
    arrays = ", ".join(f"{array.name} at {array.address} port {array.port}" for array in found.storage)
    print(f"The configuration {paths[0]} is correct. Arrays: {arrays}.")
    return 0


def encrypt(arguments: list[str]) -> int:
    """Print the shadow of a password, as the command of a node does; return the exit status."""
    try:
        print(shadow_command.encrypted(arguments))
    except UsageError as usage:
        print(f"usage: instorage-provisioner {usage}", file=sys.stderr)
        return 2
    except Fault as fault:
        print(f"instorage-provisioner: {fault}", file=sys.stderr)
        return 1
    return 0


def about(flags: Flags) -> str:
    """Return what -about prints."""
    return (
        f"instorage-provisioner {VERSION}\n"
        f"provisioner name: {flags.provisioner}\n"
        f"flex volume driver name: {flags.driver}"
    )


if __name__ == "__main__":
    sys.exit(main())
