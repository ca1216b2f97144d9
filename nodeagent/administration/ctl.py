"""`instoragectl`: the administrator's program; what it can do stands in one table (`commands.py`).

`instoragectl adopt` is the provisioner's, which alone has a private key and Kubernetes' client: it is
executed from there, if a provisioner is installed on this host too.

Exit status 0, 1 for a failure (said on standard error), 2 for wrong usage; `doctor` has its own. With
`--json` one object goes to standard output, a failure too: its format is held by tests/ctl, its sentences
are English in every language.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
from typing import TYPE_CHECKING

from instorage import places
from instorage.language import said, speak
from instorage.wire.fault import Fault
from nodeagent.administration import commands
from nodeagent.administration.command import parser
from nodeagent.diagnosis.foreign import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from nodeagent.diagnosis.outcome import Outcome

FORMAT = 1
"""Of what `--json` prints: a key may be added to it; one that changes or goes makes it 2."""

_OURS = re.compile(r"(\x1b\[(?:[0-2]|3[1-3](?:;1)?)m|\n)")  # as `terminal.Paint` has them; a command's lines


def adopt(arguments: Sequence[str]) -> int:
    """Become the provisioner's `instoragectl`; say where to run it when there is none here."""
    program = places.provisioner() / "instoragectl"
    if not os.access(program, os.X_OK):
        text = (
            f"instoragectl: {program} is not on this host: run adopt on the host of a provisioner, which has "
            "the key, and bring what it prints to config/adopted here."
        )
        print(said(text), file=sys.stderr)
        return 1
    os.execv(program, [str(program), "adopt", *arguments])  # noqa: S606  its own arguments, no shell


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    os.umask(0o022)
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        if arguments[:1] == ["adopt"]:
            return adopt(arguments[1:])
        speak()
        made = parser("instoragectl", "Administer InStorage volumes of a node.", commands.table())
        given = made.parse_args(_as_journalctl(arguments))
    except Fault as fault:  # where things lie cannot be read
        return _failed(fault, "", as_json="--json" in arguments)
    try:
        return _said(given.run(given), given)
    except Fault as fault:
        return _failed(fault, given.words, as_json=given.json)
    except BrokenPipeError:  # whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _as_journalctl(arguments: Sequence[str]) -> list[str]:
    """Take `--since -1h` in two words, as journalctl does; argparse sees an option in the second."""
    words = list(arguments)
    for at, (word, following) in enumerate(itertools.pairwise(arguments)):
        if word == "--since" and following.startswith("-"):
            words[at : at + 2] = [f"{word}={following}"]
    return words


def _said(outcome: Outcome, given: argparse.Namespace) -> int:
    if given.json and outcome.data is not None:
        _print({"format": FORMAT, "command": given.words, "status": outcome.status, **outcome.data})
    elif given.json:
        lines, fault = _gathered(outcome.lines)
        if fault is not None:
            return _failed(fault, given.words, as_json=True, lines=lines)
        _print({"format": FORMAT, "command": given.words, "status": outcome.status, "lines": lines})
    else:
        for line in outcome.lines:
            print(_seen(said(line)), flush=True)
    if outcome.abandon:
        os._exit(outcome.status)
    return outcome.status


def _gathered(lines: Iterable[str]) -> tuple[list[str], Fault | None]:
    """Return the lines, and the fault that ended them: they say what was done until then."""
    found: list[str] = []
    try:
        for line in lines:
            found.append(line)
    except Fault as fault:
        return found, fault
    return found, None


def _failed(fault: Fault, words: str, *, as_json: bool, lines: list[str] | None = None) -> int:
    if as_json:
        done = {} if lines is None else {"lines": lines}
        _print({"format": FORMAT, "command": words, "status": 1, **done, "fault": fault.to_wire()})
    print(_seen(said(f"instoragectl: {fault.sentence}")), file=sys.stderr)
    return 1


def _seen(line: str) -> str:
    """Return text as a terminal may have it: what others wrote moves no cursor."""
    return "".join(one if _OURS.fullmatch(one) else printable(one) for one in _OURS.split(line))


def _print(found: dict[str, object]) -> None:
    text = json.dumps(found, ensure_ascii=False, indent=1)
    shown = (one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
    print("".join(shown), flush=True)


if __name__ == "__main__":
    sys.exit(main())
