"""`install.sh`: the parts that are wanted, one after the other.

Exit status: 0 done; 1 refused, and nothing was changed; 2 the command line is wrong; 3 the new version did
not work, and the one of before is in force again; 4 it is not known to work: see what was said, mend that,
run this again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from installer import (
    arguments,
    contents,
    directories,
    expansions,
    kubelet,
    lock,
    places,
    records,
    removal,
    requirements,
    selinux,
    undo,
    users,
    vendor,
    vendor_unit,
)
from installer.host import is_root
from installer.journal import Journal
from installer.node import Node
from installer.part import Run
from installer.provisioner import Provisioner
from installer.saying import Ending, Refusals, complain, say

if TYPE_CHECKING:
    from types import FrameType

    from installer.arguments import Asked

ROOT_WANTED = "this must be run as root: sudo ./install.sh ..."


def look(run: Run, asked: Asked) -> None:
    """Look at everything that is in the way of the parts that are wanted; Ending(1)."""
    refusals = Refusals()
    run.whole()
    if "node" in asked.parts:
        _look_at_node(run, asked, refusals)
    if "provisioner" in asked.parts:
        _look_at_provisioner(run, asked, refusals)
    if refusals.number:
        raise Ending(1, f"nothing was changed: {refusals.number} of what this host has are in the way.")


def _look_at_node(run: Run, asked: Asked, refusals: Refusals) -> None:
    tree = run.archive / "node"
    stub = f"{places.DRIVER}/instorage-flexvolume"
    run.whole("node/bin/python3", "node/RECORDS", stub, "systemd/instorage-node.target")
    contents.look(refusals, run.archive, "node")
    if run.host.live:
        requirements.look_at_host(refusals, run.host, tree)
    requirements.look_at_image(refusals, run.host, tree)
    requirements.look_at_space(refusals, run.host, tree, places.LIBRARY)
    for place in (places.LIBRARY, run.places.plugin):
        directories.look_for_programs(refusals, run.host, place)
    settings = (f"{run.places.plugin}/config", "/etc/instorage")
    directories.look(refusals, run.host, users.AGENT, places.LIBRARY, *settings)
    records.look(refusals, run.host, tree / "RECORDS")
    vendor.look(refusals, run.host, run.places.plugin, run.archive)
    if run.host.live:
        requirements.look_at_tools(refusals)
        expansions.look(refusals, run.host)
        kubelet.look(refusals, run.host, run.places, asked.directories)
        places.look(refusals, run.host, run.places)


def _look_at_provisioner(run: Run, asked: Asked, refusals: Refusals) -> None:
    tree = run.archive / "inspur-instorage-provisioner/python"
    run.whole("inspur-instorage-provisioner/python", "systemd/instorage-provisioner.service")
    contents.look(refusals, run.archive, "provisioner")
    requirements.look_at_image(refusals, run.host, tree)
    requirements.look_at_space(refusals, run.host, tree, run.places.folder)
    directories.look_for_programs(refusals, run.host, run.places.folder)
    settings = (f"{run.places.folder}/config", "/etc/instorage")
    directories.look(refusals, run.host, users.PROVISIONER, *settings)
    journal = Journal(run.host, run.places.folder)
    program = run.archive / "inspur-instorage-provisioner/instorage-provisioner"
    vendor_unit.look(refusals, run.host, journal, run.places.folder, program)
    if run.host.live and "node" not in asked.parts:
        requirements.look_at_host(refusals, run.host, tree)


def _end_in_order() -> None:
    """Have a signal end the run in order, but for one that it was started without (nohup)."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _broken_off)


def _broken_off(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise SystemExit(130)


def act(run: Run, asked: Asked) -> None:
    """Do what is wanted, part by part."""
    for part in asked.parts if asked.action == "install" else ():
        undo.install(Node(run) if part == "node" else Provisioner(run))
    if asked.action == "uninstall":
        _remove(run, asked)
    if run.next:
        say("\n".join(["Next:", *run.next]))


def _remove(run: Run, asked: Asked) -> None:
    policy = selinux.text(run.archive)
    try:
        if "node" in asked.parts:
            removal.remove_node(run, purge=asked.purge)
        if "provisioner" in asked.parts:
            removal.remove_provisioner(run, purge=asked.purge)
        removal.forget_places(run, policy, purged=asked.parts if asked.purge else ())
    except OSError as error:
        raise Ending(4, f"the removal broke off half-way ({error}): mend that, and run it again.") from None
    if run.left:
        how = "--purge without a part" if asked.purge else "--purge"
        say(f"Kept, as configuration, keys or records: {' '.join(run.left)} ({how} removes that too).")


def _version(archive: Path) -> str:
    try:
        return (archive / "VERSION").read_text().split("\n")[0]
    except OSError:
        return ""


def perform(archive: Path, words: list[str]) -> None:
    """Do what the command line says, with the archive unpacked in `archive`; Ending when that is not done."""
    asked = arguments.read(words)
    version = _version(archive)
    if asked.action in ("help", "version"):
        print(arguments.USAGE if asked.action == "help" else f"{version}\n", end="")
        return
    _end_in_order()
    allowed = is_root() or not asked.host.live
    # From before the first look on: what was looked at must not be another's to change.
    with lock.alone(asked.host) if allowed and asked.action != "check" else contextlib.nullcontext():
        run = Run(asked.host, archive, version, places.find(asked.host, asked.directories))
        if asked.action != "uninstall":
            look(run, asked)
        if asked.action == "check":
            say(f"Nothing is in the way of InStorage {version} on this host.")
            return
        if not allowed:
            raise Ending(1, ROOT_WANTED)
        act(run, asked)


def main(archive: Path, words: list[str]) -> int:
    """Run the installer and return its exit status."""
    os.umask(0o022)
    try:
        perform(archive, words)
    except Ending as ending:
        complain(ending.sentence)
        return ending.status
    except SystemExit as ending:
        complain(undo.sentence(ending))
        return 130
    except OSError as error:
        complain(undo.sentence(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent, sys.argv[1:]))
