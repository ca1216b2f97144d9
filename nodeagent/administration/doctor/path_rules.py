"""What sessions, paths and map of one volume must say of each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from instorage.wire.values import Portal
from nodeagent.administration.doctor import portals
from nodeagent.diagnosis.finding import Finding, Severity, Who

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeagent.administration.doctor.host import Host
    from nodeagent.administration.doctor.looks import Looks
    from nodeagent.administration.doctor.picture import Picture

CHECK = "volumes"
SESSIONS = "/sys/class/iscsi_session"
CONNECTIONS = "/sys/class/iscsi_connection"

Session = tuple[str, str, str]
"""The session's number, its portal («address:port»), its state."""


def sessions(looks: Looks) -> list[Session]:
    """Return every iSCSI session of the kernel; one that goes meanwhile is left out."""
    found = []
    for name in looks.names(SESSIONS):
        number = name.removeprefix("session")
        at = f"{CONNECTIONS}/connection{number}:0"
        try:
            address = looks.text(f"{at}/persistent_address").strip()
            portal = Portal.spelled(address, looks.text(f"{at}/persistent_port").strip())
            found.append((number, portal, looks.text(f"{SESSIONS}/{name}/state").strip()))
        except OSError:
            continue
    return found


def judge(host: Host, one: Picture, found: list[Session]) -> Iterator[Finding]:
    """Yield what is wrong with a volume of ours that has devices; one that was unmapped has its own finding.

    States and map are the kernel's, and so are judged where no array is asked.
    """
    if not one.paths or not (one.mapping or (one.record and one.silent)):
        return
    yield from _states(one)
    if one.mapping:
        yield from _mapped(host, one, found)
    if len(one.paths) > 1 and not one.kernel.get("multipath") and not one.young:
        yield Finding(
            CHECK, "no-map", Severity.ERROR,
            f"Volume {one.name} has {len(one.paths)} paths and no multipath map.",
            cause="multipathd did not run, or its configuration hides the disks.",
            risk="The pod stops with the one path that it uses.",
            command="systemctl enable --now multipathd; then end the pod, and let it start again",
            proof=f"/sys/block/{one.paths[0]['name']}/holders", volume=one.name,
        )  # fmt: skip


def _mapped(host: Host, one: Picture, found: list[Session]) -> Iterator[Finding]:
    yield from _missing(host, one, found)
    sizes = sorted({int(path["size"]) for path in one.paths} | {int(one.kernel.get("size", 0))} - {0})
    if len(sizes) > 1:
        yield Finding(
            CHECK, "sizes-differ", Severity.WARNING,
            f"The paths and the map of volume {one.name} have {' and '.join(map(str, sizes))} bytes.",
            cause="An expansion was broken off between them.", who=Who.NOBODY,
            risk="Its file system stays as small as it was.",
            command="nothing: kubelet asks for the expansion again",
            proof=f"/sys/block/{one.paths[0]['name']}/size", volume=one.name,
        )  # fmt: skip


def _states(one: Picture) -> Iterator[Finding]:
    bad = [path for path in one.paths if path["state"] not in ("running", "")]
    severity = Severity.ERROR if len(bad) == len(one.paths) else Severity.WARNING
    for path in bad:
        over = f" over {path['portal']}" if path.get("portal") else ""
        offline = path["state"] == "offline"  # SDEV_OFFLINE; «transport-offline» ends with the outage
        yield Finding(
            CHECK, "path-down", severity,
            f"Path {path['name']} of volume {one.name}{over} is {path['state']}.",
            cause="The kernel gave the disk up when its error handling failed, and tries it no more."
            if offline else "",
            risk="Nothing can be read or written." if severity is Severity.ERROR else
            "The volume works over fewer paths.",
            who=Who.NODE if offline else Who.SAN,
            command=f"once its session or port works: echo running >/sys/block/{path['name']}/device/state"
            if offline else "see the findings of «portals»; a path comes back by itself",
            proof=f"/sys/block/{path['name']}/device/state", volume=one.name,
        )  # fmt: skip


def _missing(host: Host, one: Picture, found: list[Session]) -> Iterator[Finding]:
    """Find portals of the volume's I/O groups over which it has no path, though they answer."""
    used = {path.get("portal") for path in one.paths}
    if None in used:  # not over iSCSI, or not known
        return
    by_portal = {portal: (number, state) for number, portal, state in found}
    for portal, lun in _wanted(host, one).items():
        if portal in used or not _answers(host, one.array, portal):
            continue
        number, state = by_portal.get(portal, ("", ""))
        if number and state == "LOGGED_IN":
            what = f"to which session {number} is logged in"
            at = _scsi_host(host.looks, number)
            command = (
                f"echo '- - {lun}' >/sys/class/scsi_host/{at}/scan" if at else "iscsiadm -m session -P 3"
            )
            cause = "The session came after the volume was attached, or the path was removed by hand."
        else:
            what = f"whose session is {state}" if number else "to which there is no session"
            command = f"iscsiadm -m node -p {portal} --login" if not number else "systemctl status iscsid"
            cause = "The portal was away when the volume was attached."
        yield Finding(
            CHECK, "path-missing", Severity.WARNING,
            f"Volume {one.name} has no path over portal {portal}, {what}.", cause=cause,
            risk="The volume works over fewer paths than it could.", command=command,
            proof=f"{SESSIONS}; helper's Inspect {one.uid}", volume=one.name,
        )  # fmt: skip


def _wanted(host: Host, one: Picture) -> dict[str, int]:
    """Return the portals that lead to the volume, with its LUN there, as an attach chooses them."""
    array: dict[str, Any] = host.arrays().get(one.array, {})
    luns = one.mapping.get("luns", {})
    portset = next(
        (said["portset"] for said in array.get("hosts", ()) if said["name"] == one.mapping["host"]), ""
    )
    return {
        said["portal"]: int(luns[said["io_group"]])
        for said in array.get("targets", ())
        if said["io_group"] in luns and ("" in (portset, said["portset"]) or portset == said["portset"])
    }


def _answers(host: Host, array: str, portal: str) -> bool:
    """Say whether the portal could be reached just now; what could not is a finding of «portals»."""
    targets = sorted({said["portal"] for said in host.arrays().get(array, {}).get("targets", ())})
    return not portals.probed(host, array, targets).get(portal, {}).get("why", "unknown")


def _scsi_host(looks: Looks, number: str) -> str:
    """Return the name of a session's SCSI host, empty when the kernel does not say it."""
    try:
        found = re.search(r"/(host\d+)/", looks.target(f"{SESSIONS}/session{number}"))
    except OSError:
        found = None
    return found[1] if found else ""
