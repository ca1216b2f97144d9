"""Parts are removed: not while volumes are in use; configuration, keys and records stay but with --purge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer import agent, kubelet, provisioner, records, services, units, users
from installer.files import remove, remove_empty
from installer.places import DRIVER, LIBEXEC, LIBRARY
from installer.saying import Ending, say

if TYPE_CHECKING:
    from installer.host import Host
    from installer.part import Run

STATE: Final = "/var/lib/instorage"
HELPER_STATE: Final = "/var/lib/instorage-helper"
PROVISIONER_STATE: Final = "/var/lib/instorage-provisioner"
LOGS: Final = "/var/log/inspurlog"  # the manual's log directory, of both
ROTATED: Final = 5
MOUNTS: Final = (
    "/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/", f"/volumes/{DRIVER}/"
)  # fmt: skip
NODE_UNITS: Final = (
    agent.TARGET, agent.AGENT, agent.HELPER, "instorage-nodeagent.socket", agent.SOCKET,
    "instorage-helper.socket", "instorage-volumes.service",
)  # fmt: skip
PLUGINS: Final = "usr/libexec/kubernetes/kubelet-plugins/volume/exec"


def _mounted(host: Host) -> list[str]:
    """Return the mounts of our volumes on this host. Ending(1): they cannot be seen."""
    if not host.live:
        return []
    try:
        text = Path("/proc/1/mountinfo").read_text(errors="replace")
    except OSError:
        raise Ending(1, "/proc/1/mountinfo cannot be read: run this as root of the host.") from None
    points = (line.split(" ")[4] for line in text.splitlines())
    return [point for point in points if any(ours in point for ours in MOUNTS)]


def _uses(host: Host, *, purge: bool) -> list[str]:
    """Return what still needs the node's part."""
    found = [f"mounted: {place}" for place in _mounted(host)]
    found += [f"attached: {volume}" for volume in records.volumes(host, f"{STATE}/volumes")]
    if purge:
        broken = records.volumes(host, f"{HELPER_STATE}/aa")
        found += [f"expansion that was broken off: {volume}" for volume in broken]
    return found


def _refuse_if(used: list[str]) -> None:
    if used:
        lines = "\n".join(used)
        raise Ending(
            1,
            f"volumes are in use on this host, nothing was removed:\n{lines}\nEnd the pods that use them "
            "(kubectl drain), finish broken-off expansions (instoragectl barrier plan), run this again.",
        )


def remove_node(run: Run, *, purge: bool) -> None:
    """Remove the node's part; Ending(1) while volumes are in use."""
    host, plugin = run.host, run.places.plugin
    _refuse_if(_uses(host, purge=purge))
    services.stop(host, *NODE_UNITS)
    used = _uses(host, purge=purge)  # by a call that came in before the sockets were gone
    if used and host.live:
        services.systemctl("--quiet", "enable", "--now", agent.TARGET)
    _refuse_if(used)
    _remove_files(host, plugin)
    units.remove_all(host, "node", purge=purge)
    if purge:
        for place in (plugin, STATE, HELPER_STATE):
            remove(host.path(place))
        users.remove(host, users.AGENT)
        _remove_plugins(host)
    _say_what_stays(run, plugin, STATE, HELPER_STATE)
    say(
        "The node part is removed. Sessions to the arrays and host objects on them stay: "
        "iscsiadm -m session, lshost."
    )


def _remove_files(host: Host, plugin: str) -> None:
    remove(host.path(units.ENABLED))
    for name in ("instorage-flexvolume", ".agent.sock", "config/instorage.yaml.sample", "log"):
        remove(host.path(f"{plugin}/{name}"))
    for place in ("/var/log/instorage", LIBEXEC, "/usr/sbin/instoragectl", LIBRARY):
        remove(host.path(place))
    _remove_logs(host, "instorage-nodeagent.log")
    if host.live:
        remove(Path("/run/instorage"))


def _remove_logs(host: Host, name: str) -> None:
    """Take log files out of the directory of both, which goes with its last file."""
    for one in (name, *(f"{name}.{number}" for number in range(1, ROTATED + 1))):
        remove(host.path(f"{LOGS}/{one}"))
    remove_empty(host.path(LOGS))


def _remove_plugins(host: Host) -> None:
    """Take kubelet's default directory, if it is empty; a kubelet that runs watches it, and keeps it."""
    if host.live and kubelet.runs():
        return
    directory = Path(PLUGINS)
    while str(directory) != "usr/libexec" and remove_empty(host.path(f"/{directory}")):
        directory = directory.parent


def remove_provisioner(run: Run, *, purge: bool) -> None:
    """Remove the provisioner."""
    host, folder = run.host, run.places.folder
    services.stop(host, provisioner.SERVICE)
    provisioner.remove_programs(host, folder)
    for place in (
        f"{folder}/config/instorage.yaml.sample",
        f"{folder}/log",
        "/var/log/instorage-provisioner",
    ):
        remove(host.path(place))
    _remove_logs(host, "instorage-provisioner.log")
    units.remove_all(host, "provisioner", purge=purge)
    if purge:
        remove(host.path(folder))
        remove(host.path(PROVISIONER_STATE))
        users.remove(host, users.PROVISIONER)
    _say_what_stays(run, folder, PROVISIONER_STATE)
    say(
        "The provisioner is removed. PVs that it made keep its finalizer (inspur.com/instorage) until "
        "one runs again."
    )


def _say_what_stays(run: Run, *directories: str) -> None:
    """Directories go if nothing is in them."""
    for place in directories:
        top = run.host.path(place)
        for path in sorted(top.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                remove_empty(path)
        remove_empty(top)
        if top.is_dir():
            run.left.append(place)


def forget_places(run: Run, *, purge: bool) -> None:
    """Take /etc/instorage away with the last part, when nothing is to stay."""
    host, folder = run.host, run.places.folder
    if any(host.path(place).exists() for place in (f"{LIBRARY}/current", f"{folder}/instorage-provisioner")):
        return
    if purge:
        remove(host.path("/etc/instorage"))
    if host.path("/etc/instorage").is_dir():
        run.left.append("/etc/instorage")
