"""`instorage-ext`: the administrator's commands of `instorage-flexvolume` (manual 4.4), which the stub runs.

They need no agent, and no configuration but for `ext-check-cfg`, `create` and `delete`. Imports are made
where they are used: `ext-help` answers without loading YAML, SSH, or paths and regular expressions. All goes
to standard output, errors too, as with every command of the stub; in the language of the environment, but for
`create` and `delete`, which scripts call. Exit status 0, 1 for a failure, 2 for wrong usage.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from instorage.configuration.usage import UsageError
from instorage.language import said
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HELP = """\
Support following subcommand and extent subcommand:
ext-help
    Show this help.
ext-sample-18000-cfg
    Generate a 18000 storage sample configure for use.
ext-sample-13000-cfg
    Generate a 13000 storage sample configure for use.
ext-version
    Show the version of this program.
ext-check-cfg
    Check the configuration.
ext-encrypt-password [plain password]
    Generate the encrypted password from plain password
create [volume name] [size in GB] [options as JSON]
    Create a volume on the array, or find the one that is there.
delete [volume name] [options as JSON]
    Delete a volume on the array; a volume that is mapped to a host is refused.
"""


def configuration_path() -> Path:
    """Return where it is: $INSTORAGE_CONFIG, else beside the stub that ran this, else the agent's."""
    from pathlib import Path

    given = os.environ.get("INSTORAGE_CONFIG")
    if given:
        return Path(given)
    directory = os.environ.get("INSTORAGE_PLUGIN_DIRECTORY")
    if directory:
        return Path(directory) / "config" / "instorage.yaml"
    from instorage import places

    return places.plugin() / "config" / "instorage.yaml"


def show_help(arguments: Sequence[str]) -> None:
    """Print the list of commands."""
    print(said(HELP), end="")


def show_sample_18000(arguments: Sequence[str]) -> None:
    """Print a configuration for an AS18000."""
    from instorage.configuration.sample import SAMPLE_18000

    print(SAMPLE_18000, end="")


def show_sample_13000(arguments: Sequence[str]) -> None:
    """Print a configuration for an AS13000."""
    from instorage.configuration.sample import SAMPLE_13000

    print(SAMPLE_13000, end="")


def show_version(arguments: Sequence[str]) -> None:
    """Print the version of the distribution."""
    from instorage.version import VERSION

    print(f"instorage-flexvolume {VERSION}")


def check_configuration(arguments: Sequence[str]) -> None:
    """Print what is wrong with the configuration, what deserves a warning, what will not work here."""
    if len(arguments) > 1:
        raise UsageError("ext-check-cfg [path]")
    from pathlib import Path

    from instorage.configuration import cipher_key
    from instorage.configuration.settings import load
    from nodeagent.administration import host_check

    path = Path(arguments[0]) if arguments else configuration_path()
    key = cipher_key.key_file()
    found = load(path, key_file=key)
    unit = host_check.installed()
    draft = bool(arguments) and not path.absolute().parent.parent.name.endswith("~instorage-flexvolume")
    for warning in (*found.warnings, *host_check.remarks(found, unit, key, draft=draft)):
        print(said(f"warning: {warning}"))
    arrays = ", ".join(f"{array.name} at {array.address} port {array.port}" for array in found.storage)
    other = "" if unit.reads(path) else f" The node agent does not read it, but {unit.configuration}."
    print(said(f"The configuration {path} is correct. Arrays: {arrays}." + other))


def encrypt_password(arguments: Sequence[str]) -> None:
    """Print the shadow of a password: the argument, or typed on a terminal, or a line of standard input."""
    from instorage.configuration import shadow_command

    print(shadow_command.encrypted(arguments))


def create_volume(arguments: Sequence[str]) -> None:
    """Create a volume as the vendor's `create NAME SIZE_GB JSON` does."""
    from nodeagent.administration import volume

    print(volume.create(arguments, configuration_path()))


def delete_volume(arguments: Sequence[str]) -> None:
    """Delete a volume as the vendor's `delete NAME JSON` does."""
    from nodeagent.administration import volume

    print(volume.delete(arguments, configuration_path()))


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "ext-help": show_help,
    "ext-sample-18000-cfg": show_sample_18000,
    "ext-sample-13000-cfg": show_sample_13000,
    "ext-version": show_version,
    "ext-check-cfg": check_configuration,
    "ext-encrypt-password": encrypt_password,
    "create": create_volume,
    "delete": delete_volume,
}


def _failure(fault: Fault) -> str:
    """Return the answer of `create` and `delete`, whose callers are scripts."""
    import json

    return json.dumps({"status": "Failure", "message": fault.sentence}, ensure_ascii=False)


def main() -> int:
    """Run the command in argv[1]; return the exit status."""
    name, arguments = (sys.argv[1] if len(sys.argv) > 1 else "ext-help"), sys.argv[2:]
    try:
        command = COMMANDS.get(name)
        if command is None:
            raise UsageError(f"{name[:60]!r} is no command; ext-help lists them")
        command(arguments)
        sys.stdout.flush()
    except UsageError as usage:
        print(said(f"usage: {usage}"))
        return 2
    except Fault as fault:
        print(said(fault.sentence) if name.startswith("ext-") else _failure(fault))
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter flushes once more at its end
        return 1
    except KeyboardInterrupt:
        print()
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
