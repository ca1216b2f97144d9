"""What the helper knows of the installation: `helper.conf` over the defaults made from `instorage.yaml`."""

import configparser
import os
import stat
from collections.abc import Collection

from instorage.wire.fault import Code, Fault
from instorage.wire.record import Record
from instorage.wire.values import VolumeUid
from instorage.wire.verbs import FcPath, IscsiPath, Multipath

FILES = ("/run/instorage/helper-defaults.conf", "/etc/instorage/helper.conf")  # later ones win
_PINS = ("allowed_portals", "allowed_targets", "allowed_uid_prefixes")
_KEYS = ("plugin_directory", "kubelet_roots", "lock_path", "multipath", "logout", *_PINS)
_VALUES = {"multipath": ("preferred", "required"), "logout": ("false", "true")}  # the first one by default
PLUGIN_DIRECTORY = "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/inspur~instorage-flexvolume"


class Settings(Record):
    """`roots` are kubelet's directories; an empty list of portals, targets or prefixes allows all."""

    plugin_directory: str = PLUGIN_DIRECTORY
    roots: tuple[str, ...] = ("/var/lib/kubelet",)
    lock_path: str = f"{PLUGIN_DIRECTORY}/config/instorage.yaml"
    multipath: Multipath = Multipath.PREFERRED
    logout: bool = False
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

    def check(self, uid: VolumeUid, paths: Collection[IscsiPath | FcPath] = ()) -> None:
        """Raise `Fault(NOT_ALLOWED)` for an array that nobody has pinned here."""
        portals = {str(path.portal) for path in paths if isinstance(path, IscsiPath) and self.portals}
        # a port of Fibre Channel has a name alone: where portals are pinned, it is one of the targets, too
        pinned = {FcPath: self.targets or self.portals, IscsiPath: self.targets}
        targets = {path.target.lower() for path in paths if pinned[type(path)]}
        strange = (portals - set(self.portals)) | (targets - set(self.targets))
        if self.uid_prefixes and not uid.startswith(self.uid_prefixes):
            strange.add(uid)
        if strange:
            text = f"{min(strange)} is not pinned in {FILES[-1]}: if the array changed, run instoragectl pin."
            raise Fault(Code.NOT_ALLOWED, text, value=min(strange))


Configured = Settings | Fault
"""The settings, or what is wrong with their files."""


def loaded() -> Configured:
    """Return the settings, or what is wrong with their files."""
    try:
        return load()
    except Fault as fault:
        return fault


def load() -> Settings:
    """Read the files; `Fault(BAD_CONFIGURATION)` for a strange key, and for one that others can write.

    A file that cannot be read is no file without pins: only one that is not there is passed over.
    """
    parser = configparser.ConfigParser(interpolation=None, default_section="none")
    for name in FILES:
        try:
            _read(parser, name)
        except (configparser.Error, UnicodeDecodeError) as error:
            raise _bad(name, " ".join(f"{name}: {error}".split())) from None
        except OSError as error:
            if os.path.islink(name) or not isinstance(error, FileNotFoundError):
                raise _bad(name, f"{name} cannot be read ({error.strerror}): mend or remove it.") from None
    return _understood(parser["helper"]) if parser.has_section("helper") else Settings()


def _read(parser: configparser.ConfigParser, name: str) -> None:
    with open(name, encoding="utf-8") as file:
        facts = os.fstat(file.fileno())
        if facts.st_uid != 0 or stat.S_IMODE(facts.st_mode) & 0o022:
            text = f"{name} can be written by others than root: chown root, chmod go-w, or remove it."
            raise _bad(name, text)
        parser.read_file(file)
    if strange := sorted({*parser.sections()} - {"helper"}):
        raise _bad(name, f"{name}: there is no section {strange[0]!r}, only «helper».")
    if strange := sorted({*parser["helper"]} - {*_KEYS} if parser.has_section("helper") else ()):
        raise _bad(name, f"{name}: there is no key {strange[0]!r}, only {', '.join(_KEYS)}.")
    for key, known in _VALUES.items():
        if (value := parser.get("helper", key, fallback=known[0])) not in known:
            raise _bad(name, f"{name}: {key} = {value!r} is not one of {', '.join(known)}.")


def _bad(name: str, text: str) -> Fault:
    return Fault(Code.BAD_CONFIGURATION, text, file=name)


def _understood(found: configparser.SectionProxy) -> Settings:
    words = {key: tuple(value.replace(",", " ").split()) for key, value in found.items()}
    return Settings(
        plugin_directory=found.get("plugin_directory", Settings.plugin_directory),
        roots=words.get("kubelet_roots", Settings.roots),
        lock_path=found.get("lock_path", Settings.lock_path),
        multipath=Multipath(found.get("multipath", Settings.multipath)),
        logout=found.get("logout") == "true",
        portals=words.get("allowed_portals", ()),
        targets=tuple(word.lower() for word in words.get("allowed_targets", ())),
        uid_prefixes=tuple(word.lower() for word in words.get("allowed_uid_prefixes", ())),
    )
