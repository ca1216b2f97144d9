"""The one table of what `instoragectl` can do: help, parser and completion come from it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import places
from instorage.catalogue import table as catalogue
from instorage.configuration import shadow_command
from instorage.language import said
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from nodeagent.administration import (
    arrays,
    barrier,
    bundle,
    completion,
    fence,
    multipath_check,
    pin,
    release,
    status,
    volumes,
)
from nodeagent.administration.command import Command, Option, flag
from nodeagent.administration.doctor import run as doctor
from nodeagent.diagnosis import times, trace, tree, why
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def _config() -> Option:
    default = {"type": Path, "default": Paths.from_environment().configuration}
    return Option("--config", "instorage.yaml", default, "file")


def _volume(text: str = "the volume's name, as of its PV", **keywords: object) -> Option:
    return Option("VOLUME", text, dict(keywords), "volume")


def _pin(given: argparse.Namespace) -> Outcome:
    return Outcome(pin.pin(given.config, given.file, dry_run=given.dry_run))


def _release(given: argparse.Namespace) -> Outcome:
    volume = VolumeName.parse(given.volume)
    logged_in, storage = given.although_logged_in, given.storage
    return Outcome(release.release(given.config, volume, given.node, logged_in=logged_in, storage=storage))


def _fence(given: argparse.Namespace) -> Outcome:
    chosen = {"plan": given.plan, "storage": given.storage, "spared": given.spared}
    return Outcome(fence.fence(given.config, given.node, **chosen))


def _shadow_key(given: argparse.Namespace) -> Outcome:
    provisioners = places.provisioner() / "config/instorage.yaml"
    return Outcome(shadow_command.run(given, (Paths.from_environment().configuration, provisioners)))


def _barrier(given: argparse.Namespace) -> Outcome:
    return Outcome(_barrier_lines(given))


def _barrier_lines(given: argparse.Namespace) -> Iterator[str]:
    if given.action == "show":
        return barrier.show(given.config)
    if given.action == "clear":
        return barrier.clear(given.config)
    volume = VolumeName.parse(given.volume) if given.volume else None
    if given.action == "plan":
        return barrier.plan(given.config, volume)
    where = sys.stderr if given.json else sys.stdout
    return barrier.resume(
        given.config, volume, lambda phase: print(said(f"  {phase}"), flush=True, file=where)
    )


def _codes(given: argparse.Namespace) -> Outcome:
    wanted = [code for code in catalogue.CATALOGUE if given.code in (None, code.value)]
    if not wanted:
        raise Fault(Code.BAD_REQUEST, f"There is no code {given.code}: «instoragectl codes» lists them.")
    data = [
        {"code": code.value, "message_id": catalogue.message_id(code), **asdict(catalogue.CATALOGUE[code])}
        for code in wanted
    ]
    return Outcome([line for code in wanted for line in catalogue.explain(code)], {"codes": data})


def _completion(given: argparse.Namespace) -> Outcome:
    return Outcome(completion.script(given.shell, table()))


def _adopt(_: argparse.Namespace) -> Outcome:
    raise AssertionError("`adopt` is executed from the provisioner before arguments are parsed")


A_FILE: dict[str, object] = {"metavar": "FILE", "type": Path}
WAITING = Option("OBJECT", "a volume, NAMESPACE/PVC or NAMESPACE/POD", complete="volume")
PROOF = flag("--proof", "say with each line where it was read")
SVG = Option("--svg", "write the timeline as a picture for a browser", A_FILE, "file")
JOURNAL = Option("--journal", "a bundle, or a file of «journalctl -o json --all»", A_FILE, "file")
SINCE = Option("--since", "as journalctl takes it", {"default": "yesterday", "metavar": "TIME"})

FROM: dict[str, object] = {"required": True, "dest": "node", "metavar": "NODE"}
SPARED: dict[str, object] = {"action": "append", "default": [], "dest": "spared", "metavar": "VOLUME"}
ONE_ARRAY = Option("--storage", "the one array that is meant (storage[].name)", {"metavar": "NAME"})
LOSES = "also from a node that is logged in: it loses what it has not written"


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
            (WAITING, PROOF, _config()),
        ),
        Command(
            "tree", "show a volume's chain, from the claim to the mount", tree.run, (_volume(), _config())
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
        Command("arrays", "say whether each array answers, and what it protects", arrays.run, (_config(),)),
    )  # fmt: skip


def _changing() -> tuple[Command, ...]:
    """Return what changes something."""
    return (
        Command(
            "pin", "let the root helper use the configured arrays and no other", _pin,
            (
                flag("--dry-run", "show what would change, write nothing"), _config(),
                Option("--file", "helper.conf", {"type": Path, "default": pin.HELPER_CONF}, "file"),
            ),
            "Asks every array of instorage.yaml for its portals, target names and the beginning of "
            "its volumes' UIDs, and writes them into helper.conf. A node agent that was broken into can then "
            "bring no array of its own. To be run again when an array, a node of one or a port is added.",
        ),
        Command(
            "release", "take a volume from a node that is gone", _release,
            (
                _volume(),
                Option("--from", "the Kubernetes node", FROM),
                flag("--although-logged-in", LOSES),
                ONE_ARRAY,
                _config(),
            ),
            "Removes the volume's mapping to a node when the array says that the node is logged out, "
            "so that the volume's pod can start on another one.",
        ),
        Command(
            "fence", "take every volume from a node that is gone", _fence,
            (
                Option("NODE", "the Kubernetes node"),
                flag("--plan", "say what would be done, and change nothing"),
                Option("--except", "leave this one, as the disk it boots from; may be repeated", SPARED),
                ONE_ARRAY,
                _config(),
            ),
            "Removes all mappings to a node, volume by volume, when the array says twice that the node is "
            "logged out: no port of its host objects by lshost, nor by lsfabric over Fibre Channel. A volume "
            "that cannot be taken keeps no other; exit status 1 when one stays. Nothing is asked back.",
        ),
        _barriers(),
        Command("adopt", "sign PVs that carry no signature (on a provisioner's host)", _adopt, plain=True),
        _shadow_keys(),
        Command(
            "completion", "print the completion of a shell, for it to read", _completion,
            (Option("SHELL", "bash, zsh or fish", {"choices": completion.SHELLS}),),
            "For bash: instoragectl completion bash >/etc/bash_completion.d/instoragectl", plain=True,
        ),
    )  # fmt: skip


def _barriers() -> Command:
    resumed = _volume(nargs="?")
    plan = "what is left, as commands for the array; without a record: what can be seen of VOLUME"
    return Command(
        "barrier", "an active-active expansion that was broken off on this node",
        text="While the barrier file is there nothing is attached to this node or detached from it.",
        actions=(
            Command("show", "which barrier files and records are here", _barrier, (_config(),)),
            Command("plan", plan, _barrier, (resumed, _config())),
            Command("resume", "do what is left, remove barrier and record", _barrier, (resumed, _config())),
            Command(
                "clear", "remove the barrier file; what is known stays until the volume is whole", _barrier,
                (_config(),),
            ),
        ),
    )  # fmt: skip


def _shadow_keys() -> Command:
    replace = "although shadows of this host were made with the key of now"
    return Command(
        "shadow-key", "carry the cipher key of the shadows to another host",
        text="A shadow (storage[].shadow) is opened on the hosts that have the key it was made with: "
        "instoragectl shadow-key export | ssh HOST instoragectl shadow-key import",
        actions=(
            Command(
                "export", "write the key to standard output, into a pipe or a file", _shadow_key, plain=True
            ),
            Command(
                "import", "take the key from standard input; at a terminal it is asked for, and not shown",
                _shadow_key, (flag("--replace", replace),), plain=True,
            ),
        ),
    )  # fmt: skip


def table() -> tuple[Command, ...]:
    """Return every command; defaults are those of this environment now."""
    return (*_reading(), *_changing())
