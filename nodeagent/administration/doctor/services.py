"""Services that an attach needs, by systemd's word: iscsid, multipathd, ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host

CHECK = "services"
ASKED = "Id,LoadState,ActiveState,SubState,Result,StatusText"
AGENT = "instorage-nodeagent.service"
PROVISIONER = "instorage-provisioner.service"
_SOCKETS = ("instorage-helper.socket", "instorage-nodeagent.socket")
UNITS = (
    "iscsid.service", "iscsid.socket", "multipathd.service", "multipathd.socket", *_SOCKETS, AGENT,
    PROVISIONER,
)  # fmt: skip
_RUNS = ("active", "reloading", "activating")

Units = dict[str, dict[str, str]]


def units(host: Host) -> Units | None:
    """Return what systemd says of each unit; None when it cannot be asked."""
    ran = host.looks.run("systemctl", "show", f"--property={ASKED}", *UNITS)
    if ran is None or ran.status:
        return None
    blocks = (
        dict(line.partition("=")[::2] for line in block.splitlines()) for block in ran.out.split("\n\n")
    )
    return {block["Id"]: block for block in blocks if "Id" in block}


def check(host: Host) -> Iterator[Finding]:
    """Find daemons that do not run, and what the agent says of itself."""
    found = units(host)
    if found is None:
        sentence = "systemd cannot be asked for services."
        yield Finding(
            CHECK, "not-seen", Severity.WARNING, sentence, proof=f"systemctl show {' '.join(UNITS)}"
        )
        return
    if host.setup.link != "fc":
        yield from _daemon(found, "iscsid", Severity.ERROR, "no volume is attached over iSCSI")
    needed = Severity.ERROR if host.setup.force_multipath else Severity.WARNING
    yield from _daemon(found, "multipathd", needed, "a volume has one path, and its pod stops with that path")
    for name in (*_SOCKETS, AGENT):
        if found.get(name, {}).get("ActiveState") not in _RUNS:
            yield _stopped(found, name, Severity.ERROR, "nothing is attached, mounted or detached")
    yield from _agents_own(found.get(AGENT, {}))


def _daemon(found: Units, name: str, severity: Severity, risk: str) -> Iterator[Finding]:
    """Take a daemon that runs, or whose socket starts it when it is wanted."""
    states = [found.get(f"{name}.{kind}", {}).get("ActiveState") for kind in ("service", "socket")]
    failed = states[0] == "failed"
    if failed or not any(state in _RUNS for state in states):
        yield _stopped(found, f"{name}.service", severity, risk)


def _stopped(found: Units, name: str, severity: Severity, risk: str) -> Finding:
    unit = found.get(name, {})
    load = unit.get("LoadState", "")
    state = {"loaded": unit.get("ActiveState", "unknown"), "masked": "masked"}.get(load, "not installed")
    start = f"systemctl enable --now {name}"
    command = {"loaded": start, "masked": f"systemctl unmask {name} && {start}"}.get(load, "")
    result = unit.get("Result", "")
    return Finding(
        CHECK, "unit-inactive", severity, f"{name} is {state}.",
        cause=f"systemd says: {result}." if result not in ("", "success") else "",
        risk=f"{risk[0].upper()}{risk[1:]}.",
        command=command or f"install what brings {name}",
        proof=f"systemctl show {name}",
    )  # fmt: skip


def _agents_own(unit: dict[str, str]) -> Iterator[Finding]:
    said = unit.get("StatusText", "")
    if unit.get("ActiveState") == "active" and said not in ("", "Ready"):
        yield Finding(
            CHECK, "agent-says", Severity.ERROR, f"The node agent says: {said}",
            risk="What it names is refused until it is mended.", command=f"systemctl status {AGENT}",
            proof=f"systemctl show {AGENT} --property=StatusText",
        )  # fmt: skip


def lease(host: Host) -> Iterator[Finding]:
    """Find a provisioner on this host that neither works nor waits for another that holds the Lease."""
    unit = (units(host) or {}).get(PROVISIONER, {})
    if unit.get("LoadState") != "loaded":
        return
    said, state = unit.get("StatusText", ""), unit.get("ActiveState", "")
    if state not in _RUNS:
        yield Finding(
            "lease", "provisioner-stopped", Severity.WARNING, f"The provisioner of this host is {state}.",
            risk="Unless another one works, no volume is made or deleted.",
            command=f"systemctl start {PROVISIONER}", proof=f"systemctl show {PROVISIONER}",
        )  # fmt: skip
    elif said != "working" and not said.startswith("waiting: another provisioner works"):
        yield Finding(
            "lease", "lease-not-held", Severity.WARNING,
            "The provisioner of this host neither holds the Lease nor sees another one that does"
            + (f": {said}" if said else "."),
            risk="Unless another one works, no volume is made or deleted.",
            command=f"journalctl -u {PROVISIONER} -n 50", proof=f"systemctl show {PROVISIONER}",
        )  # fmt: skip


def clock(host: Host) -> Iterator[Finding]:
    """Find a clock that nobody sets."""
    ran = host.looks.run("timedatectl", "show", "--property=NTPSynchronized")
    if ran is not None and ran.status == 0 and ran.out.strip() == "NTPSynchronized=no":
        yield Finding(
            "clock", "clock", Severity.WARNING, "The clock of this node is not synchronised.",
            risk="Journals of nodes and array cannot be compared; certificates and Leases may seem over.",
            command="systemctl enable --now chronyd, or systemd-timesyncd",
            proof="timedatectl show --property=NTPSynchronized",
        )  # fmt: skip
