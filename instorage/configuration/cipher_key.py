"""The cipher key of the shadows: one file a host, for the agent and the provisioner; root alone writes it.

It is made at random by the first `ext-encrypt-password` and carried to other hosts (shadow_command.py). It
comes into being as a whole: a kill leaves the key of before, and what it left beside that goes later.
"""

from __future__ import annotations

import contextlib
import grp
import os
import secrets
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import durable_file
from instorage.configuration.secret import Secret
from instorage.log_directory import GROUP
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_FILE = Path("/etc/instorage/shadow.key")
KEY_MODE = 0o640
LONGEST = 4096  # characters
_GROUPS = (GROUP, "instorage-agent")  # the second one: a node of before, which had no other part
_BESIDE = ".shadow-key-"
_LEFT_SECONDS = 60.0  # no program takes so long to write a line: it was killed


def key_file() -> Path:
    """Return the key file of this host; programs that a person starts may be told another one."""
    return Path(os.environ.get("INSTORAGE_SHADOW_KEY") or KEY_FILE)


def read_key(path: Path = KEY_FILE) -> Secret:
    """Return the cipher key of this host; `Fault(BAD_CONFIGURATION)` names the file and the mend."""
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        raise _bad(
            path,
            "does not exist: bring the one of the host that made the shadow (there instoragectl shadow-key "
            "export, here instoragectl shadow-key import), or have ext-encrypt-password, run by root, make "
            "key and shadow anew",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _bad(path, f"cannot be read ({reason}): {readable(path)}, as root") from None
    if not text:
        raise _bad(path, "is empty: remove it, then import one, or have ext-encrypt-password make one")
    return Secret(text)


def readable(path: Path) -> str:
    """Return the command that lets both services read the file."""
    return f"chgrp {GROUP} {path} && chmod {KEY_MODE:o} {path}"


def ensure_key(path: Path = KEY_FILE) -> Secret:
    """Return the cipher key, made first (random) when there is none and this is root.

    Root also gives the file back the owner and mode that let the services read it.
    """
    if os.geteuid() == 0 and not put_key(Secret(secrets.token_hex(32)), path, replace=False):
        with contextlib.suppress(OSError):  # on a file system that is read only it stays as it is
            _open_to_services(path)
    return read_key(path)


def usable(text: str) -> Secret:
    """Return a text that somebody brings as a key; `Fault(BAD_CONFIGURATION)` for what is none."""
    line = text.rstrip("\r\n")
    if not line or not line.isprintable() or len(line) > LONGEST:
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"This is no cipher key (one line of at most {LONGEST} characters): give the output of "
            "instoragectl shadow-key export, or the cipher key of the vendor's build.",
        )
    return Secret(line)


def put_key(key: Secret, path: Path, *, replace: bool) -> bool:
    """Have `key` in the file; False when another is there (nothing is changed, unless `replace`).

    `Fault(BAD_CONFIGURATION)` for who is not root.
    """
    if not replace and path.exists():
        return read_key(path) == key
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _forget_what_is_left(path.parent)
        with _written(key, path.parent) as made:
            if replace:
                made.replace(path)
            else:
                os.link(made, path)
        durable_file.sync_directory(path.parent)
    except FileExistsError:  # somebody was faster: theirs is the key
        return read_key(path) == key
    except OSError as error:
        raise _bad(path, f"cannot be written ({error.strerror}): run this as root") from None
    return True


@contextlib.contextmanager
def _written(key: Secret, directory: Path) -> Iterator[Path]:
    """Give a file with the key for a while, on the disk, with the modes that it is to have."""
    descriptor, name = tempfile.mkstemp(dir=directory, prefix=_BESIDE)
    made = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(key.reveal() + "\n")
            file.flush()
            _open_to_services(made)
            os.fsync(descriptor)
        yield made
    finally:
        made.unlink(missing_ok=True)


def _forget_what_is_left(directory: Path) -> None:
    for left in directory.glob(f"{_BESIDE}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                left.unlink()


def _open_to_services(path: Path) -> None:
    """Give the file to root and the first of the groups that this host has; without one to root alone."""
    facts = path.stat()
    for name in _GROUPS:
        with contextlib.suppress(KeyError):
            if (facts.st_uid, facts.st_gid) != (0, group := grp.getgrnam(name).gr_gid):
                os.chown(path, 0, group)
            break
    if stat.S_IMODE(facts.st_mode) != KEY_MODE:
        path.chmod(KEY_MODE)


def _bad(path: Path, what: str) -> Fault:
    return Fault(Code.BAD_CONFIGURATION, f"The key file {path} {what}.", file=str(path))
