"""What the helper knows of the installation: `helper.conf` over the defaults made from `instorage.yaml`."""

import configparser
import os
import stat
from dataclasses import dataclass

from instorage.wire.fault import Code, Fault
from instorage.wire.values import VolumeUid
from instorage.wire.verbs import IscsiPath, Multipath

FILES = ("/run/instorage/helper-defaults.conf", "/etc/instorage/helper.conf")  # later ones win
PLUGIN_DIRECTORY = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume"
CONFIGURATION = f"{PLUGIN_DIRECTORY}/config/instorage.yaml"


@dataclass(frozen=True)
class Settings:
    """`roots` are kubelet's directories; an empty list of portals, targets or prefixes allows all."""

    plugin_directory: str = PLUGIN_DIRECTORY
    roots: tuple[str, ...] = ("/var/lib/kubelet",)
    lock_path: str = CONFIGURATION
    multipath: Multipath = Multipath.PREFERRED
    portals: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    uid_prefixes: tuple[str, ...] = ()

    @property
    def driver(self) -> str:
        """The driver as kubelet spells it in a pod's directory: vendor~driver."""
        return os.path.basename(self.plugin_directory.rstrip("/"))

    def demanded(self, asked: Multipath) -> bool:
        """Return whether a single path will not do; a message may only tighten the configuration."""
        return Multipath.REQUIRED in (asked, self.multipath)

    def check(self, uid: VolumeUid, paths: tuple[IscsiPath, ...] = ()) -> None:
        """Raise `Fault(NOT_ALLOWED)` for an array that nobody has pinned here."""
        given = [(self.uid_prefixes, "UID", str(uid), uid.startswith(self.uid_prefixes))]
        for path in paths:
            given.append((self.portals, "portal", str(path.portal), str(path.portal) in self.portals))
            given.append((self.targets, "target", str(path.target), path.target in self.targets))
        for pinned, what, value, allowed in given:
            if pinned and not allowed:
                raise Fault(
                    Code.NOT_ALLOWED,
                    f"The {what} {value} is not pinned in {FILES[-1]}: if the array has changed, "
                    "run instoragectl pin.",
                    value=value,
                )


def load() -> Settings:
    """Read the files; `Fault(BAD_CONFIGURATION)` for one that others than root can write."""
    parser = configparser.ConfigParser(interpolation=None)
    for name in FILES:
        if os.path.exists(name):
            with open(name, encoding="utf-8") as file:
                _owned_by_root(name, os.fstat(file.fileno()))
                try:
                    parser.read_file(file)
                except (configparser.Error, UnicodeDecodeError) as error:
                    raise Fault(Code.BAD_CONFIGURATION, f"{name}: {error}", file=name) from None
    found = parser["helper"] if parser.has_section("helper") else parser["DEFAULT"]
    multipath = found.get("multipath", "preferred")
    if multipath not in list(Multipath):
        raise Fault(Code.BAD_CONFIGURATION, f"multipath = {multipath} is not one of required, preferred.")
    return Settings(
        plugin_directory=found.get("plugin_directory", PLUGIN_DIRECTORY),
        roots=_words(found.get("kubelet_roots", "/var/lib/kubelet")),
        lock_path=found.get("lock_path", CONFIGURATION),
        multipath=Multipath(multipath),
        portals=_words(found.get("allowed_portals", "")),
        targets=_words(found.get("allowed_targets", "")),
        uid_prefixes=_words(found.get("allowed_uid_prefixes", "").lower()),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _owned_by_root(name: str, facts: os.stat_result) -> None:
    if facts.st_uid != 0 or stat.S_IMODE(facts.st_mode) & 0o022:
        raise Fault(
            Code.BAD_CONFIGURATION,
            f"{name} can be written by others than root: chown root and chmod go-w, or remove it.",
            file=name,
        )
