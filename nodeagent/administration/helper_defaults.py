"""Writes what `places` and `instorage.yaml` say of the node for the helper, before that starts.

The helper parses no YAML and knows no password; it reads `/run/instorage/helper-defaults.conf`
(architecture.md 4), which this program writes from what the installer said, and from a configuration that
only root can change. Cheap when nothing has changed: YAML is not even imported then.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import places
from instorage.wire.fault import Code, Fault
from nodeagent.administration import helper_start
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    from instorage.configuration.settings import Configuration

DEFAULTS = Path(helper_start.DEFAULTS)
SEEN = Path(helper_start.SEEN)


def stamp(found: os.stat_result, lies: str) -> str:
    """Return the first line of the defaults that were made from a file with these facts, and from `lies`."""
    return f"# made from instorage.yaml {helper_start.marks(found)} {lies}"


def trusted(found: os.stat_result, owner: int = 0) -> bool:
    """Say whether nobody but `owner` can change a file with these facts."""
    return (
        stat.S_ISREG(found.st_mode)
        and found.st_uid == owner
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def of_the_host(configuration: Configuration) -> list[str]:
    """Return the lines that `instorage.yaml` decides; paths with line breaks it refuses."""
    host = configuration.host
    demanded = "required" if host is not None and host.force_multipath else "preferred"
    lines = [f"plugin_directory = {configuration.plugin_directory}"]
    if host is not None:
        lines += [f"lock_path = {host.lock_path}", f"logout = {str(host.logout).lower()}"]
    return [*lines, f"multipath = {demanded}"]


def refresh(source: Path, defaults: Path, roots: tuple[str, ...], owner: int = 0) -> str:
    """Bring `defaults` up to date; return a sentence when `source` is not taken for a reason.

    Then the settings of before stay in force, and where there are none the helper learns at least where
    things lie: `roots`, kubelet's directories, and the directory of `source`.
    """
    lies = f"for {source} and {','.join(roots)}"
    known = f"kubelet_roots = {', '.join(roots)}"
    try:
        found = source.stat()
        first = stamp(found, lies)
        if defaults.exists() and defaults.read_text(encoding="utf-8").partition("\n")[0] == first:
            return ""
        lines = _taken(source, found, owner)
    except OSError as error:
        trouble = f"{source} cannot be read ({error.strerror})"
    except Fault as fault:
        trouble = fault.sentence.removesuffix(".")
    else:
        _write(defaults, [first, "[helper]", known, *lines])
        return ""
    if not defaults.exists():
        from instorage.configuration.section import plugin_directory

        plugin = f"plugin_directory = {plugin_directory(source)}"
        _write(defaults, [f"# made {lies}", "[helper]", known, plugin])
    return f"{trouble}. The helper keeps its settings."


def _taken(source: Path, found: os.stat_result, owner: int) -> list[str]:
    if not trusted(found, owner):
        text = f"{source} can be changed by others than root and is not taken: chown root, chmod go-w"
        raise Fault(Code.BAD_CONFIGURATION, text)
    from instorage.configuration.settings import load

    return of_the_host(load(source))


def _write(defaults: Path, lines: list[str]) -> None:
    temporary = defaults.with_name(f".{defaults.name}")
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    temporary.chmod(0o644)
    temporary.rename(defaults)


def main() -> int:
    """Run as root before the helper starts; a reason to complain is no reason not to start it."""
    os.umask(0o022)
    try:
        source = Paths.from_environment().configuration
        note = helper_start.seen(str(source))  # before it is read: a change meanwhile must be seen
        remark = refresh(source, DEFAULTS, places.kubelet_roots())
        if not remark:
            with contextlib.suppress(OSError):  # then the next start asks again
                SEEN.write_text(note, encoding="utf-8")
    except Fault as fault:  # of `places`
        remark = fault.sentence
    if remark:
        print(f"<4>instorage-helper-defaults: {remark}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
