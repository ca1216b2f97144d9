"""The one table of what `instoragectl` can do: help, parser and completion come from it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from instorage.catalogue import table as catalogue
from instorage.wire.fault import Code, Fault
from nodeagent.administration import arrays, bundle, changing, completion, multipath_check, status, volumes
from nodeagent.administration.command import Command, Option, config, flag, volume
from nodeagent.administration.doctor import run as doctor
from nodeagent.diagnosis import times, trace, tree, why
from nodeagent.diagnosis.outcome import Outcome

if TYPE_CHECKING:
    import argparse


def _codes(given: argparse.Namespace) -> Outcome:
    wanted = [code for code in catalogue.CATALOGUE if given.code in (None, code.value)]
    if not wanted:
        raise Fault(Code.BAD_REQUEST, f"There is no code {given.code}: «instoragectl codes» lists them.")
    data = [
        {"code": code.value, "message_id": catalogue.message_id(code), **asdict(catalogue.CATALOGUE[code])}
        for code in wanted
    ]
    return Outcome([line for code in wanted for line in catalogue.explain(code)], {"codes": data})


A_FILE: dict[str, object] = {"metavar": "FILE", "type": Path}
WAITING = Option("OBJECT", "a volume, NAMESPACE/PVC or NAMESPACE/POD", complete="volume")
PROOF = flag("--proof", "say with each line where it was read")
SVG = Option("--svg", "write the timeline as a picture for a browser", A_FILE, "file")
JOURNAL = Option("--journal", "a bundle, or a file of «journalctl -o json --all»", A_FILE, "file")
SINCE = Option("--since", "as journalctl takes it", {"default": "yesterday", "metavar": "TIME"})


def _reading() -> tuple[Command, ...]:
    """Return what only looks."""
    return (
        Command("status", "show this node on one screen", status.run),
        Command(
            "volumes", "list the volumes of this node", volumes.run,
            (flag("--names", "names alone, for completion"),),
        ),
        Command(
            "doctor", "examine this node, and compare it with its arrays", doctor.run,
            (
                Option("--volume", "compare this one alone, and closely", {"metavar": "VOLUME"}, "volume"),
                Option("--bundle", "examine what a bundle says", A_FILE, "file"),
            ),
            "Looks and changes nothing. Exit status 0: nothing is wrong, 1: warnings, 2: errors. As root it "
            "sees everything.",
        ),
        Command("multipath", "compare what multipathd has in force with the manual", multipath_check.run),
        Command(
            "why", "say why a volume, claim or pod waits, and who must act", why.run,
            (WAITING, PROOF, config()),
        ),
        Command(
            "tree", "show a volume's chain, from the claim to the mount", tree.run, (volume(), config())
        ),
        Command(
            "trace", "show one request, or a volume's last one, as a timeline", trace.run,
            (Option("REQUEST", "a request id (INSTORAGE_OP) or a volume", complete="volume"), SVG, JOURNAL),
        ),
        Command(
            "times", "show how long each phase took: median, 95th percentile, longest", times.run,
            (SINCE, SVG, JOURNAL),
        ),
        Command(
            "bundle", "write what support needs into one file, without a secret", bundle.run_bundle,
            (
                Option("--file", "(default: instorage-NODE-TIME.tar.gz, here)", A_FILE, "file"),
                Option("--since", "of the journal (default: -2d)", {"default": "-2d", "metavar": "TIME"}),
            ),
        ),
        Command(
            "codes", "explain the codes of failures (INSTORAGE_CODE in the journal)", _codes,
            (Option("CODE", "one code", {"nargs": "?"}),),
        ),
        Command("arrays", "say whether each array answers, and what it protects", arrays.run, (config(),)),
    )  # fmt: skip


def _completion(given: argparse.Namespace) -> Outcome:
    return Outcome(completion.script(given.shell, table()))


def _completions() -> Command:
    return Command(
            "completion", "print the completion of a shell, for it to read", _completion,
            (Option("SHELL", "bash, zsh or fish", {"choices": completion.SHELLS}),),
            "For bash: instoragectl completion bash >/etc/bash_completion.d/instoragectl", plain=True,
        )  # fmt: skip


def table() -> tuple[Command, ...]:
    """Return every command; defaults are those of this environment now."""
    return (*_reading(), *changing.commands(), _completions())
