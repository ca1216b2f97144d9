"""What this node's agent says of a volume: what it does now, what fails, its record, and a barrier."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

from nodeagent.diagnosis import remedy
from nodeagent.diagnosis.foreign import typed
from nodeagent.diagnosis.link import NOBODY, NODE, RIGHT, UNSEEN, WAITS, WRONG, Link, moment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOCKET = "/run/instorage/agent.sock"
SECONDS = 10.0  # that the agent may take to say what it does
STATUS = "systemctl status instorage-nodeagent.service"
_LIMIT = 1 << 20  # bytes of its answer


def asked(path: str = SOCKET) -> dict[str, list[dict[str, str]]]:
    """Return what the agent does and what fails («underway» of its socket); OSError, ValueError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(b"underway\0")
        connection.shutdown(socket.SHUT_WR)
        data = b""
        while (piece := connection.recv(65536)) and len(data) < _LIMIT:
            data += piece
    found = json.loads(data[1:])
    if data[:1] != b"0" or not isinstance(found, dict) or "underway" not in found:
        raise ValueError("it is of another version")
    return {key: [one for one in found[key] if isinstance(one, dict)] for key in ("underway", "trouble")}


def records(directory: Path, volume: str, storage: str = "") -> tuple[list[dict[str, Any]], str]:
    """Return the records of a volume, by name or UID, and why that cannot be told (empty: it can).

    Two arrays may each have a volume of one name: those of `storage` alone, where it is known.
    """
    try:
        files = [path for path in directory.iterdir() if not path.name.startswith(".")]
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], f"{directory} cannot be read ({error.strerror}): run this as root."
    bad, kept = "", []
    for path in files:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            mine = isinstance(found, dict) and volume in (found.get("name"), found.get("uid"))
            if mine and storage in ("", found.get("storage")):
                kept.append(found)
        except (OSError, ValueError) as error:
            bad = f"{path} cannot be read ({error})."
    return sorted(kept, key=lambda one: str(one.get("storage"))), "" if kept else bad


def links(
    volume: str, directory: Path, path: str = SOCKET, *,
    storage: str = "", wanted: bool = False, idle: bool = False,
) -> Iterator[Link]:  # fmt: skip
    """Yield what the agent does with the volume, what fails, and whether it is attached here.

    `storage`: its array, where that is known. `wanted`: a pod that waits for it is to run on this node.
    `idle`: it was seen that no expansion is under way here, which a restart would break off.
    """
    kept, unread = records(directory, volume, storage)
    told = False  # whether anything was said of it
    try:
        found = asked(path)
    except (OSError, ValueError) as error:
        told = True
        yield _silent(path, error, idle=idle)
    else:
        for link in (*_underway(volume, found["underway"]), *_trouble(volume, found["trouble"])):
            told = True
            yield link
    if unread:
        yield Link("agent", UNSEEN, f"Whether the volume is attached here is not known: {unread}")
    for one in kept:
        text = f"The volume is attached here: array {one.get('storage')}, UID {one.get('uid')}."
        proof = f"{directory / str(one.get('uid'))}"
        yield Link("agent", RIGHT, text, NOBODY, "", moment(one.get("created")), proof)
    if kept or unread:
        return
    if not told and wanted:
        text = "kubelet of this node has not asked for the volume, or not again since it was let go."
        command = remedy.kubelets_journal(volume)
        yield Link("agent", WAITS, text, NODE, command, 0.0, f"no record in {directory}")
    if not told and not wanted:
        text = "Nothing of the volume is on this node: kubelet has not asked for it here, or has let it go."
        yield Link("agent", RIGHT, text, NOBODY, "", 0.0, f"no record in {directory}")


def _silent(path: str, error: Exception, *, idle: bool) -> Link:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, PermissionError):
        return Link(
            "agent", UNSEEN, f"What the agent does could not be seen ({path}: {why}): run this as root."
        )
    if isinstance(error, FileNotFoundError):
        text = f"There is no agent on this host ({path}): this is no node, or install.sh --node was not run."
        return Link("agent", UNSEEN, text)
    text = f"The node agent does not answer on {path} ({why}): see its unit."
    if isinstance(error, ConnectionRefusedError):  # nobody listens
        return Link("agent", WRONG, text, NODE, remedy.START, 0.0, path)
    if not idle:
        text += " An expansion may be under way here, which a restart would break off."
        return Link("agent", WRONG, text, NODE, STATUS, 0.0, path)
    return Link("agent", WRONG, text, NODE, remedy.RESTART, 0.0, path)


def _underway(volume: str, running: list[dict[str, str]]) -> Iterator[Link]:
    for one in running:
        if one.get("volume") == volume:
            since = time.time() - float(one.get("seconds") or 0)
            text = f"The agent is at {one.get('call')}: {one.get('phase')} (request {one.get('op')})."
            command = typed("journalctl INSTORAGE_OP={}", str(one.get("op")))
            yield Link("agent", WAITS, text, NOBODY, command, since, "«underway» of the agent's socket")


def _trouble(volume: str, troubles: list[dict[str, str]]) -> Iterator[Link]:
    for one in troubles:
        if one.get("thing", "").endswith(f" of {volume}"):
            sentence, code = one.get("sentence", ""), one.get("code", "")
            remedied = remedy.of_sentence(f"{sentence} [{code}]", volume)[1]
            since = moment(one.get("since", "").replace(" ", "T"))
            proof = (
                f"{one.get('thing')} failed {one.get('times')} times: journalctl INSTORAGE_OP={one.get('op')}"
            )
            yield Link("agent", WRONG, remedy.bare(sentence), remedied.who, remedied.command, since, proof)
