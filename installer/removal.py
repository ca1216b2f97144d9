"""Parts are removed: not while volumes are in use; configuration, keys and records stay but with --purge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer import (
    agent,
    expansions,
    kubelet,
    mounts,
    multipath,
    pages,
    provisioner,
    records,
    selinux,
    services,
    units,
    users,
    vendor,
    vendor_unit,
)
from installer.arguments import PARTS
from installer.files import remove, remove_empty
from installer.host import there
from installer.part import SAMPLE
from installer.places import LIBEXEC, LIBRARY
from installer.saying import Ending, say

if TYPE_CHECKING:
    from collections.abc import Collection

    from installer.host import Host
    from installer.part import Run

STATE: Final = "/var/lib/instorage"
HELPER_STATE: Final = "/var/lib/instorage-helper"
PROVISIONER_STATE: Final = "/var/lib/instorage-provisioner"
LOGS: Final = "/var/log/inspurlog"  # the manual's log directory, of both
ROTATED: Final = 5
PLUGINS: Final = "usr/libexec/kubernetes/kubelet-plugins/volume/exec"


def _installed(host: Host, part: str, version: str) -> bool:
    """Whether a part is there, or what a removal that was broken off has left of its version or units."""
    return there(host.path(version)) or bool(units.of(host, part))


def _uses(host: Host, plugin: str, *, purge: bool) -> list[str]:
    """Return what still needs the node's part; where the vendor's program is in force, mounts are its."""
    theirs = vendor.has(host.path(f"{plugin}/{vendor.STUB}"))
    found = [] if theirs else [f"mounted: {place}" for place in mounts.mounted(host)]
    found += [f"attached: {volume}" for volume in records.volumes(host, records.VOLUMES)]
    found += [f"expansion that is under way: {volume}" for volume in expansions.under_way(host)]
    if purge:
        broken = records.volumes(host, expansions.DIRECTORY)
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
    installed = _installed(host, "node", LIBRARY)
    _refuse_if(_uses(host, plugin, purge=purge))
    try:
        services.stop(host, *units.NODE)
        _refuse_if(_uses(host, plugin, purge=purge))  # by a call that came in before the sockets were gone
    except BaseException:  # who breaks it off wants the node to go on, too
        if host.boots:
            services.systemctl("--quiet", "enable", "--now", agent.TARGET)
        raise
    _remove_files(host, plugin)
    units.remove_all(host, "node", purge=purge)
    if purge:
        theirs = vendor.has(host.path(f"{plugin}/{vendor.STUB}"))  # then the folder is the vendor's
        for place in (STATE, HELPER_STATE, *([] if theirs else [plugin])):
            remove(host.path(place))
        users.remove(host, users.AGENT)
        _remove_plugins(host)
    remove(host.path(LIBRARY))  # last: what was killed before is finished by the copy of the installer in it
    _say_what_stays(run, plugin, STATE, HELPER_STATE)
    if command := vendor.back(host, f"{plugin}/{vendor.STUB}"):
        say(f"The vendor's program is kept; where it is to serve this node again: {command}.")
    say(
        "The node part is removed. Sessions to the arrays and host objects on them stay: "
        "iscsiadm -m session, lshost."
        if installed
        else "No node part is installed on this host."
    )


def _remove_files(host: Host, plugin: str) -> None:
    remove(host.path(units.ENABLED))
    program = f"{plugin}/{vendor.STUB}"
    theirs = vendor.has(host.path(program))
    for place in (f"{plugin}/.agent.sock", f"{plugin}/config/instorage.yaml.sample"):
        remove(host.path(place))
    if not theirs:
        remove(host.path(program))
    _remove_log(host, program, "instorage-nodeagent.log", theirs=theirs)
    multipath.take_away(host)
    for place in ("/var/log/instorage", LIBEXEC, "/usr/sbin/instoragectl"):
        remove(host.path(place))
    _remove_logs(host, LOGS, "instorage-nodeagent.log")
    if host.live:
        remove(Path("/run/instorage"))


def _remove_log(host: Host, program: str, name: str, *, theirs: bool) -> None:
    """Take the directory `log` beside a program away; the vendor's log files are nobody's to throw away."""
    log = f"{program.rpartition('/')[0]}/log"
    if theirs or vendor.back(host, program):
        _remove_logs(host, log, name)
        remove_empty(host.path(log))
    else:
        remove(host.path(log))


def _remove_logs(host: Host, directory: str, name: str) -> None:
    """Take log files out of a directory that others write into, too."""
    for one in (name, *(f"{name}.{number}" for number in range(1, ROTATED + 1))):
        remove(host.path(f"{directory}/{one}"))


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
    installed = _installed(host, "provisioner", f"{folder}/python")
    program = f"{folder}/{vendor_unit.PROGRAM}"
    theirs = vendor_unit.theirs(host.path(program))
    services.stop(host, provisioner.SERVICE)
    for place in (f"{folder}/config/instorage.yaml.sample", "/var/log/instorage-provisioner"):
        remove(host.path(place))
    _remove_log(host, program, "instorage-provisioner.log", theirs=theirs)
    _remove_logs(host, LOGS, "instorage-provisioner.log")
    units.remove_all(host, "provisioner", purge=purge)
    if purge:
        remove(host.path(PROVISIONER_STATE))
        users.remove(host, users.PROVISIONER)
    provisioner.remove_programs(host, folder)  # last, as for a node, and with them the installer
    if purge and not theirs:  # else the folder is the vendor's
        remove(host.path(folder))
    _say_what_stays(run, folder, PROVISIONER_STATE)
    if vendor.back(host, program):
        say(f"The vendor's program is kept in {folder} ({vendor_unit.PROGRAM}{vendor.ASIDE}).")
    say(
        "The provisioner is removed. PVs that it made or saw bound keep its finalizer "
        "(inspur.com/instorage) until one runs again."
        if installed
        else "No provisioner is installed on this host."
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


def _kept(run: Run, part: str) -> list[str]:
    """Return what is there of what a removal of a part keeps."""
    states = {"node": (STATE, HELPER_STATE), "provisioner": (PROVISIONER_STATE,)}
    directory = {"node": run.places.plugin, "provisioner": run.places.folder}[part]
    wanted = (f"{directory}/{SAMPLE}", *states[part])
    return [place for place in wanted if there(run.host.path(place))]


def forget_places(run: Run, policy: str, purged: Collection[str]) -> None:
    """Take what both parts share away with the last one: /etc/instorage only when nothing is to stay.

    `policy` is the script that takes the SELinux module out. Of a part that is not `purged` too, what an
    earlier removal kept needs /etc/instorage: its shadows open with the key there.
    """
    host, folder = run.host, run.places.folder
    if any(host.path(place).exists() for place in (f"{LIBRARY}/current", f"{folder}/instorage-provisioner")):
        return
    selinux.remove(host, policy)
    pages.remove_all(host)
    remove_empty(host.path(LOGS))
    kept = [place for part in PARTS if part not in purged for place in _kept(run, part)]
    if purged and not kept:
        remove(host.path("/etc/instorage"))
    if host.path("/etc/instorage").is_dir():
        run.left.append("/etc/instorage")
