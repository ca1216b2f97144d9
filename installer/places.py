"""Where things lie on this host: what was asked for, said before, said by a drop-in, or is usual."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from installer import services
from installer.host import there
from installer.saying import wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from installer.files import Files
    from installer.host import Host
    from installer.saying import Refusals

DRIVER: Final = "inspur~instorage-flexvolume"
PLUGIN: Final = f"/usr/libexec/kubernetes/kubelet-plugins/volume/exec/{DRIVER}"
FOLDER: Final = "/opt/inspur-instorage-provisioner"
NAMES: Final = (DRIVER, FOLDER.rpartition("/")[2])  # of the two directories, wherever they lie
LIBRARY: Final = "/usr/lib/instorage"  # versions, and current
LIBEXEC: Final = "/usr/libexec/instorage"
FILE: Final = "/etc/instorage/places"
LONGEST_SOCKET: Final = 107  # bytes of a path that the kernel takes for one
KEYS: Final = ("INSTORAGE_PLUGIN", "INSTORAGE_KUBELET_ROOTS", "INSTORAGE_PROVISIONER")
SERVICES: Final = ("instorage-nodeagent.service", "instorage-helper.service")  # which know the first two
HEAD: Final = (
    "# Where InStorage lies on this host: written by install.sh, which keeps what is said here. "
    "To change it:\n"
    "# install.sh --node --plugin-dir DIR --kubelet-root DIR, install.sh --provisioner --prefix DIR.\n"
)
HIDDEN: Final = ("/home/", "/root/", "/run/", "/tmp/", "/var/tmp/")  # noqa: S108


@dataclass(frozen=True)
class Places:
    """The plugin directory, kubelet's directories, the provisioner's folder; and the former ones of two."""

    plugin: str
    roots: str
    folder: str
    old_plugin: str
    old_folder: str


def said(host: Host, before: str = "") -> dict[str, str]:
    """Return what an earlier run wrote; `before`: what counted before one that was broken off there."""
    file = host.path(FILE)
    if before and there(host.path(f"{before}/.before/files{FILE}")):
        file = host.path(f"{before}/.before/files{FILE}")
    elif before and there(host.path(f"{before}/.before/absent{FILE}")):
        return {}
    return _read(file)


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    pairs = (line.partition("=") for line in file.read_text(errors="replace").splitlines())
    return {key: value.replace('"', "").replace("'", "") for key, _, value in pairs if key in KEYS}


def _drop_in(host: Host, key: str, service: str = SERVICES[0]) -> str:
    """Return what an administrator's Environment= in a drop-in says, as checkouts had it."""
    if not host.boots:
        return ""
    shown = services.shown("Environment", service)
    found = re.findall(rf"(?:^|\s){key}=(\S+)", shown)
    return str(found[-1]) if found else ""


def find(host: Host, asked: Mapping[str, str]) -> Places:
    """Return the places; Ending(2) for those that services could not use."""
    known = said(host)
    plugin = known.get(KEYS[0]) or _drop_in(host, KEYS[0]) or PLUGIN
    folder = known.get(KEYS[2]) or FOLDER
    if "--plugin-dir" in asked:
        plugin = f"{asked['--plugin-dir'].removesuffix('/').removesuffix(f'/{DRIVER}')}/{DRIVER}"
    if "--prefix" in asked:
        folder = f"{asked['--prefix'].removesuffix('/')}/inspur-instorage-provisioner"
    roots = asked.get("--kubelet-root") or known.get(KEYS[1]) or _drop_in(host, KEYS[1]) or "/var/lib/kubelet"
    roots = re.sub("/*(,|$)", r"\1", roots)
    _check(plugin, folder, roots)
    old_plugin = said(host, LIBRARY).get(KEYS[0]) or _drop_in(host, KEYS[0]) or PLUGIN
    old_folder = said(host, folder).get(KEYS[2]) or FOLDER
    return Places(plugin, roots, folder, old_plugin, old_folder)


def _check(plugin: str, folder: str, roots: str) -> None:
    for option, path, name in zip(("--plugin-dir", "--prefix"), (plugin, folder), NAMES, strict=True):
        _plain(option, path)
        if path.rpartition("/")[2] != name:  # all of it goes at a purge, so it must be ours alone
            raise wrong(f"{path} is no {name}, which {FILE} or a drop-in should name: correct it there")
        if f"{path}/".startswith(HIDDEN):
            raise wrong(
                f"{option} {path} is hidden from services, or gone after a boot: choose another place"
            )
    for root in roots.split(","):
        _plain("--kubelet-root", root)
    if len(plugin) > LONGEST_SOCKET - len("/.agent.sock"):
        raise wrong(f"--plugin-dir {plugin}: too long for the agent's socket in it")


def _plain(option: str, path: str) -> None:
    """Only what needs no quoting in a unit, a configuration or a shell."""
    if not path.startswith("/"):
        raise wrong(f"{option} {path} does not begin with /")
    if re.search(r"[^A-Za-z0-9/._+~@:=-]", path) or {"..", "."} & set(path.split("/")):
        raise wrong(f"{option} {path}: only letters, digits and ._+~@:=- can be in it")


def look(refusals: Refusals, host: Host, where: Places) -> None:
    """Refuse where a drop-in says something else: a service believes that, not what is written down."""
    for service in SERVICES:
        plugin, roots = (_drop_in(host, key, service) for key in KEYS[:2])
        if plugin and not same(Path(plugin), Path(where.plugin)):
            refusals.add(_otherwise(service, KEYS[0], plugin, where.plugin))
        if roots and set(roots.split(",")) != set(where.roots.split(",")):
            refusals.add(_otherwise(service, KEYS[1], roots, where.roots))


def _otherwise(service: str, key: str, found: str, wanted: str) -> str:
    return (
        f"a drop-in of {service} says {key}={found}, this goes to {wanted}: take that line out "
        f"(systemctl edit {service}, then systemctl daemon-reload)."
    )


def put(files: Files, changed: Mapping[str, str]) -> None:
    """Write down what a part says; what the other part has there stays."""
    known = {**said(files.host), **changed}
    lines = "".join(f"{key}={known[key]}\n" for key in KEYS if known.get(key))
    files.write(FILE, 0o644, (HEAD + lines).encode())


def same(one: Path, other: Path) -> bool:
    """Whether two names are one place: also by a link, or a bind mount."""
    return one == other or (one.is_dir() and other.is_dir() and one.samefile(other))
