"""What SELinux has to do with this host: mode, our module, labels that are wrong, what was denied to us.

Each finding has the command that shows more or mends it. A host without SELinux has one finding, and a host
whose answer cannot be had says so: that is not «nothing is wrong».
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from instorage import places
from nodeagent.administration.denials import rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KERNEL: Final = Path("/sys/fs/selinux")
LOADED: Final = Path("/etc/instorage/selinux-policy")  # written by selinux/load.sh
LABELLED: Final = (
    "/usr/lib/instorage", "/etc/instorage", "/var/lib/instorage", "/var/lib/instorage-helper",
    "/var/log/instorage", "/run/instorage",
)  # fmt: skip
DIRECTORIES: Final = ("/usr/sbin", "/sbin", "/usr/bin", "/bin")
LIMIT: Final = 30  # seconds for a program
SHOWN: Final = 10  # denials, labels
LOAD: Final = "sh /usr/share/instorage-selinux/load.sh load (package instorage-selinux), or install.sh --node"
DENIED: Final = "journalctl -b _TRANSPORT=audit + _TRANSPORT=kernel | grep -E 'avc: .*instorage_'"
_WRONG: Final = re.compile(r"(?:Would relabel|restorecon reset|Would reset) (\S+) .*", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """`good`: nothing is to be done; `sentence` for people; `command` shows more, or mends it."""

    good: bool
    sentence: str
    command: str


def run(argv: Sequence[str]) -> str | None:
    """Return what a program of the host prints; None when it is not here, failed, or took too long."""
    for directory in DIRECTORIES:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                (f"{directory}/{argv[0]}", *argv[1:]), env={"LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                capture_output=True, timeout=LIMIT, check=False,
            )  # fmt: skip
            return done.stdout.decode(errors="replace") if done.returncode == 0 else None
    return None


def findings(
    kernel: Path = KERNEL,
    loaded: Path = LOADED,
    program: Callable[[Sequence[str]], str | None] = run,
) -> list[Finding]:
    """Return what is to be said of SELinux on this host, the mode first; asks programs, as root."""
    try:
        enforcing = (kernel / "enforce").read_text().strip() == "1"
    except FileNotFoundError:
        return [Finding(good=True, sentence="SELinux is off on this host.", command="getenforce")]
    except OSError as error:
        text = f"The mode of SELinux cannot be read ({error.strerror})."
        return [Finding(good=False, sentence=text, command="getenforce")]
    mode = "enforcing" if enforcing else "permissive: what is denied is written down, and done"
    found = [Finding(good=True, sentence=f"SELinux is {mode}.", command="getenforce")]
    if not (kernel / "booleans/instorage_anywhere").exists():
        text = "The policy of this host has no module of ours: the services run unconfined."
        return [*found, Finding(good=False, sentence=text, command=LOAD)]
    return [*found, _module(loaded), *_labels(program), *_denials(program)]


def _module(loaded: Path) -> Finding:
    try:
        version = loaded.read_text().split()[0]
    except (OSError, IndexError):
        text = "The module instorage is loaded, and nothing says which version: load it again."
        return Finding(good=False, sentence=text, command=LOAD)
    text = f"The module instorage is loaded, version {version}."
    return Finding(good=True, sentence=text, command="semodule -l | grep instorage")


def _labels(program: Callable[[Sequence[str]], str | None]) -> Iterator[Finding]:
    folders = [path for path in (*LABELLED, str(places.plugin())) if Path(path).exists()]
    command = f"restorecon -Rv {' '.join(folders)}"
    shown = program(("restorecon", "-n", "-v", "-R", *folders)) if folders else ""
    if shown is None:
        text = "Whether files have their labels cannot be found out: restorecon did not answer."
        yield Finding(good=False, sentence=text, command=command)
        return
    wrong = [match[1] for match in map(_WRONG.match, shown.splitlines()) if match]
    if not wrong:
        yield Finding(good=True, sentence="Every file of ours has its label.", command=command)
    for path in wrong[:SHOWN]:
        yield Finding(good=False, sentence=f"{path} has a label that is not its own.", command=command)
    if wrong[SHOWN:]:
        text = f"{len(wrong) - SHOWN} files more have labels that are not their own."
        yield Finding(good=False, sentence=text, command=command)


def _denials(program: Callable[[Sequence[str]], str | None]) -> Iterator[Finding]:
    ask = ("journalctl", "-q", "-b", "--no-pager", "-o", "cat", "_TRANSPORT=audit", "+", "_TRANSPORT=kernel")
    shown = program(ask)
    if shown is None:
        text = "What was denied cannot be found out: journalctl did not answer."
        yield Finding(good=False, sentence=text, command=DENIED)
        return
    denied = list(rules(shown.splitlines()))
    if not denied:
        yield Finding(good=True, sentence="Nothing was denied to us since the boot.", command=DENIED)
    for rule in denied[-SHOWN:]:
        text = f"Denied since the boot, and to be allowed by «{rule}» if it was right."
        yield Finding(good=False, sentence=text, command=DENIED)
