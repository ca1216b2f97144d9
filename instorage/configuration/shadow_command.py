"""What administrators do with shadows, the same in both parts: `ext-encrypt-password` and `shadow-key`.

One cipher key serves all nodes and the provisioner: `instoragectl shadow-key export`, in a pipe to
`instoragectl shadow-key import` on another host. The key comes from standard input, or is typed unseen; it
stands on no command line, and goes to no terminal.
"""

from __future__ import annotations

import contextlib
import getpass
import sys
from typing import TYPE_CHECKING

from instorage.configuration import cipher_key
from instorage.configuration.usage import UsageError
from instorage.language import said
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from instorage.configuration.secret import Secret

ENCRYPT = "ext-encrypt-password"


def encrypted(arguments: Sequence[str]) -> str:
    """Return the shadow of a password: the argument, or typed on a terminal, or a line of standard input."""
    if len(arguments) > 1:
        raise UsageError(f"{ENCRYPT} [plain password]; quote a password with spaces")
    from instorage.configuration import shadow

    plain = arguments[0] if arguments else _asked("Password: ", "Once more: ")
    if not plain or not plain.isprintable():
        raise UsageError(f"{ENCRYPT} [plain password]; it was empty or had control characters")
    return shadow.encrypt(plain, cipher_key.ensure_key(cipher_key.key_file()))


def _asked(*prompts: str) -> str:
    """Return a line of standard input, or what was typed at each prompt of a terminal without echo."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    # A stream of its own for the prompt: standard error must stay empty.
    first, *others = (getpass.getpass(said(prompt), stream=sys.stdout) for prompt in prompts)
    if any(other != first for other in others):
        raise UsageError(f"{ENCRYPT}: the two passwords differ, nothing was encrypted")
    return first


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `shadow-key` to the commands of an `instoragectl`."""
    key = commands.add_parser(
        "shadow-key",
        help=said("carry the cipher key of the shadows to another host"),
        description="A shadow (storage[].shadow) is opened on the hosts that have the key it was made with: "
        "instoragectl shadow-key export | ssh HOST instoragectl shadow-key import",
    )
    actions = key.add_subparsers(dest="action", required=True)
    actions.add_parser("export", help=said("write the key to standard output, into a pipe or a file"))
    bring = actions.add_parser(
        "import", help=said("take the key from standard input; at a terminal it is asked for, and not shown")
    )
    bring.add_argument(
        "--replace",
        action="store_true",
        help=said("although shadows of this host were made with the key of now"),
    )


def run(given: argparse.Namespace, configurations: Sequence[Path]) -> Iterator[str]:
    """Do what `shadow-key` was told, yielding what is to be printed. `configurations`: of both parts."""
    if given.action == "export":
        yield exported()
    else:
        typed = sys.stdin.isatty()
        text = _asked("Cipher key: ") if typed else sys.stdin.read(cipher_key.LONGEST + 3)
        key = cipher_key.usable(text)
        yield imported(key, cipher_key.key_file(), configurations, replace=given.replace)


def exported() -> str:
    """Return the key, made first when there is none; `Fault(NOT_ALLOWED)` at a terminal."""
    if sys.stdout.isatty():
        raise Fault(
            Code.NOT_ALLOWED,
            "The cipher key is not shown on a terminal: instoragectl shadow-key export | ssh HOST "
            "instoragectl shadow-key import.",
        )
    return cipher_key.ensure_key(cipher_key.key_file()).reveal()


def imported(key: Secret, path: Path, configurations: Sequence[Path], *, replace: bool) -> str:
    """Have `key` in the file `path`; return the sentence about it.

    `Fault(NOT_ALLOWED)` when a shadow of one of the configurations would be lost, or that cannot be told,
    unless `replace`.
    """
    present = path.exists()
    if present and cipher_key.read_key(path) == key:
        cipher_key.ensure_key(path)
        return f"The key was in {path} already."
    for configuration in configurations if present and not replace else ():
        _require_nothing_lost(configuration, path)
    if not cipher_key.put_key(key, path, replace=present):
        text = f"Another key was put into {path} a moment ago: see who did that, then try again."
        raise Fault(Code.NOT_ALLOWED, text)
    return f"The key is in {path}; agent and provisioner look at it with their next operation."


def _require_nothing_lost(configuration: Path, path: Path) -> None:
    """Raise when a shadow of the configuration was made with the key that `path` holds."""
    mend = "or take the new key all the same with --replace, and make the shadows anew."
    try:
        lost = _opened(configuration, path)
    except Fault as fault:
        text = f"Which key the shadows of {configuration} need cannot be told: mend the file, {mend}"
        raise Fault(Code.NOT_ALLOWED, f"{text} {fault.sentence}", file=str(configuration)) from None
    if lost:
        raise Fault(
            Code.NOT_ALLOWED,
            f"{path} holds another key, which opens the shadow of {' and '.join(lost)} in {configuration}: "
            f"bring that key to the other hosts instead (here instoragectl shadow-key export), {mend}",
            file=str(configuration),
        )


def _opened(configuration: Path, path: Path) -> list[str]:
    """Return the arrays whose password a shadow gives and the key in `path` opens."""
    from instorage.configuration.secret import SealedSecret
    from instorage.configuration.settings import load

    with contextlib.suppress(PermissionError):  # which is for `load` to say
        if not configuration.exists():
            return []
    with_key, without = (
        {
            one.name
            for one in load(configuration, need_host=False, key_file=key).storage
            if not isinstance(one.password, SealedSecret)
        }
        for key in (path, path.with_name("no key"))
    )
    return sorted(with_key - without)
