"""The node's services: restarted without their sockets, and asked whether the new agent answers."""

from __future__ import annotations

import socket
from typing import Final

from installer import services
from installer.host import executable, run
from installer.services import systemctl

AGENT: Final = "instorage-nodeagent.service"
HELPER: Final = "instorage-helper.service"
SOCKET: Final = "instorage-nodeagent-plugin.socket"
TARGET: Final = "instorage-node.target"
ANSWER: Final = 180  # seconds to stop (30), to settle what an earlier boot left (60) and to answer
ENDED: Final = ("failed", "dead")


def restart(plugin: str) -> None:
    """Restart: the agent answers the calls that it has, and ends; others wait in the sockets, which stay."""
    systemctl("stop", AGENT)
    # Who waits has started the next agent already; it answers nobody before it has settled with the helper.
    systemctl("stop", HELPER)
    systemctl("start", AGENT)
    if not _is_listened_at(f"{plugin}/.agent.sock"):  # the plugin directory is another than before
        systemctl("restart", AGENT, SOCKET)


def _is_listened_at(path: str) -> bool:
    """Whether a socket has somebody: its file alone stays where systemd listened once, and says nothing."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(1)
        try:
            caller.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:  # too many wait there already
            return True
    return True


def trouble(plugin: str, tree: str) -> str:
    """Return why the agent that runs from `tree` (empty: any) does not answer; nothing when it does."""
    stub = f"{plugin}/instorage-flexvolume"
    said = run(stub, "init", errors=True).said
    if '"status":"Success"' not in said:
        return f"{stub} init says: {said}"
    state = _settled()
    if state != "running":
        return f"{AGENT} is '{state}': journalctl -u instorage-nodeagent says why."
    process = services.shown("MainPID", AGENT)
    if not executable(process).startswith(f"{tree}/"):
        return f"{AGENT} (process {process}) does not run from {tree}: systemctl status it."
    for place in ("/run/instorage/agent.sock", f"{plugin}/.agent.sock"):
        said = _asked(stub, place)
        if '"Not supported"' not in said:
            return f"the agent does not answer at {place}: {said}"
    if systemctl("is-failed", "--quiet", HELPER).status == 0:
        return f"{HELPER} has failed: journalctl -u instorage-helper says why."
    return ""


def _settled() -> str:
    """Return the agent's state: it runs, or has ended for good or to be tried again, or it is too late."""
    states: list[str] = []

    def ended() -> bool:
        states.append(services.shown("SubState", AGENT))
        return states[-1] in ("running", *ENDED) or states[-1].startswith("auto-restart")

    services.poll(ANSWER, ended)
    return states[-1]


def _asked(stub: str, place: str) -> str:
    """Return what the agent says to a call that no version knows."""
    more = {"INSTORAGE_AGENT_SOCKET": place, "INSTORAGE_STUB_DEADLINE_MS": "30000"}
    return run(stub, "are-you-there", errors=True, more=more).said
