"""Root's `ExecStartPre=` of the helper: writes what `instorage.yaml` says of the node for it.

The helper parses no YAML and knows no password; it reads `/run/instorage/helper-defaults.conf`
(architecture.md 4), which this program writes from a configuration that only root can change. Cheap when
nothing has changed: YAML is not even imported then.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    from instorage.configuration.settings import Configuration

DEFAULTS = Path("/run/instorage/helper-defaults.conf")


def stamp(found: os.stat_result) -> str:
    """Return the first line of the defaults that were made from a file with these facts."""
    marks = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return f"# made from instorage.yaml {'.'.join(map(str, marks))}"


def trusted(found: os.stat_result, owner: int = 0) -> bool:
    """Say whether nobody but `owner` can change a file with these facts."""
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_uid == owner
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def text(configuration: Configuration, first: str) -> str:
    """Return the file's text; paths with line breaks never get here, the configuration refuses them."""
    host = configuration.host
    demanded = "required" if host is not None and host.force_multipath else "preferred"
    lines = [first, "[helper]", f"plugin_directory = {configuration.plugin_directory}"]
    if host is not None:
        lines += [f"lock_path = {host.lock_path}", f"logout = {str(host.logout).lower()}"]
    lines.append(f"multipath = {demanded}")
    return "\n".join(lines) + "\n"


def refresh(source: Path, defaults: Path, owner: int = 0) -> str:
    """Bring `defaults` up to date; return a sentence when they stay as they are for a reason."""
    try:
        found = source.stat()
    except OSError as error:
        return f"{source} cannot be read ({error.strerror}): the helper's own defaults are in force."
    first = stamp(found)
    if defaults.exists() and defaults.read_text(encoding="utf-8").partition("\n")[0] == first:
        return ""
    if not trusted(found, owner):
        return f"{source} can be changed by others than root and is not taken: chown root, chmod go-w."
    from instorage.configuration.settings import load
    from instorage.wire.fault import Fault

    try:
        configuration = load(source)
    except Fault as fault:
        return f"{fault.sentence} The helper keeps its settings."
    temporary = defaults.with_name(f".{defaults.name}")
    temporary.write_text(text(configuration, first), encoding="utf-8")
    temporary.chmod(0o644)
    temporary.rename(defaults)
    return ""


def main() -> int:
    """Run as root before the helper starts; a reason to complain is no reason not to start it."""
    os.umask(0o022)
    remark = refresh(Paths.from_environment().configuration, DEFAULTS)
    if remark:
        print(f"<4>instorage-helper-defaults: {remark}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
