"""The commands of `instoragectl` that change something, a row each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from instorage import places
from instorage.configuration import shadow_command
from instorage.language import said
from instorage.volume_name import VolumeName
from nodeagent.administration import attach_calls, barrier, fence, pin, release
from nodeagent.administration.command import Command, Option, config, flag, volume
from nodeagent.diagnosis.outcome import Outcome
from nodeagent.host.paths import Paths

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


FROM: dict[str, object] = {"required": True, "dest": "node", "metavar": "NODE"}
SPARED: dict[str, object] = {"action": "append", "default": [], "dest": "spared", "metavar": "VOLUME"}
ONE_ARRAY = Option("--storage", "the one array that is meant (storage[].name)", {"metavar": "NAME"})
SETTINGS = ("true", "false")
LOSES = "also from a node that is logged in: it loses what it has not written"


def _pin(given: argparse.Namespace) -> Outcome:
    return Outcome(pin.pin(given.config, given.file, dry_run=given.dry_run))


def _release(given: argparse.Namespace) -> Outcome:
    name = VolumeName.parse(given.volume)
    logged_in, storage = given.although_logged_in, given.storage
    return Outcome(release.release(given.config, name, given.node, logged_in=logged_in, storage=storage))


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
    name = VolumeName.parse(given.volume) if given.volume else None
    if given.action == "plan":
        return barrier.plan(given.config, name)
    where = sys.stderr if given.json else sys.stdout
    return barrier.resume(given.config, name, lambda phase: print(said(f"  {phase}"), flush=True, file=where))


def _adopt(_: argparse.Namespace) -> Outcome:
    raise AssertionError("`adopt` is executed from the provisioner before arguments are parsed")


def commands() -> tuple[Command, ...]:
    """Return what changes something."""
    return (
        Command(
            "pin", "let the root helper use the configured arrays and no other", _pin,
            (
                flag("--dry-run", "show what would change, write nothing"), config(),
                Option("--file", "helper.conf", {"type": Path, "default": pin.HELPER_CONF}, "file"),
            ),
            "Asks every array of instorage.yaml for its portals, target names and the beginning of "
            "its volumes' UIDs, and writes them into helper.conf. A node agent that was broken into can then "
            "bring no array of its own. To be run again when an array, a node of one or a port is added.",
        ),
        Command(
            "release", "take a volume from a node that is gone", _release,
            (
                volume(),
                Option("--from", "the Kubernetes node", FROM),
                flag("--although-logged-in", LOSES),
                ONE_ARRAY,
                config(),
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
                config(),
            ),
            "Removes all mappings to a node, volume by volume, when the array says twice that the node is "
            "logged out: no port of its host objects by lshost, nor by lsfabric over Fibre Channel. A volume "
            "that cannot be taken keeps no other; exit status 1 when one stays. Nothing is asked back.",
        ),
        _barriers(),
        Command(
            "attach-calls", "say or set whether kubelet waits for attach calls", attach_calls.run,
            (Option("SETTING", "true or false; the node drained", {"nargs": "?", "choices": SETTINGS}),),
        ),
        Command("adopt", "sign PVs that carry no signature (on a provisioner's host)", _adopt, plain=True),
        _shadow_keys(),
    )  # fmt: skip


def _barriers() -> Command:
    resumed = volume(nargs="?")
    plan = "what is left, as commands for the array; without a record: what can be seen of VOLUME"
    return Command(
        "barrier", "an active-active expansion that was broken off on this node",
        text="While the barrier file is there nothing is attached to this node or detached from it.",
        actions=(
            Command("show", "which barrier files and records are here", _barrier, (config(),)),
            Command("plan", plan, _barrier, (resumed, config())),
            Command("resume", "do what is left, remove barrier and record", _barrier, (resumed, config())),
            Command(
                "clear", "remove the barrier file; what is known stays until the volume is whole", _barrier,
                (config(),),
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
