"""The distribution's policy with our module in it, linked by `semodule` in a root of its own."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.lab import cache
from tools.lab.fault import LabFault
from tools.lab.policy import SOURCES, built
from tools.lab.progress import Programs

if TYPE_CHECKING:
    from tools.lab.progress import Report

STORE: Final = "default"  # Debian's name of its reference policy
SEMODULE: Final = "/usr/sbin/semodule"
# Neverallow rules, ours and the distribution's, are looked at only where this is said.
CHECKED: Final = "\nexpand-check=1\n"


@dataclass(frozen=True)
class Linked:
    """A policy store below `root`."""

    root: Path

    @property
    def policy(self) -> Path:
        """The binary policy that a kernel would load."""
        (found,) = (self.root / "etc/selinux" / STORE / "policy").iterdir()
        return found

    @property
    def contexts(self) -> Path:
        """The file contexts that `restorecon` would read."""
        return self.root / "etc/selinux" / STORE / "contexts/files/file_contexts"

    def add(self, *modules: Path) -> None:
        """Link modules in; LabFault with what `semodule` says when it refuses."""
        arguments = [word for module in modules for word in ("-i", str(module))]
        self._semodule(*arguments)

    def without_silence(self) -> None:
        """Take every dontaudit rule out."""
        self._semodule("-D", "-B")

    def _semodule(self, *arguments: str) -> None:
        programs = Programs(self.root / "log")
        programs.run(SEMODULE, "-n", "-p", self.root, "-s", STORE, *arguments)


def store(root: Path, *, checked: bool = True) -> Linked:
    """Copy the distribution's policy, without ours, below `root`; `checked`: neverallow rules count."""
    for place in (Path("etc/selinux"), Path("var/lib/selinux")):
        if not (Path("/") / place / STORE).is_dir():
            text = f"/{place}/{STORE} is not there: run tools/system-packages selinux."
            raise LabFault("selinux-no-policy", text)
        shutil.copytree(Path("/") / place, root / place, symlinks=True)
    if checked:
        with (root / "etc/selinux/semanage.conf").open("a", encoding="utf-8") as settings:
            settings.write(CHECKED)
    return Linked(root)


def linked(report: Report) -> Linked:
    """Return the distribution's policy with our module, made when it is not there."""

    def make(folder: Path) -> None:
        store(folder).add(built(folder))

    return Linked(cache.layer("selinux", _hashed(), make, report))


def audited(report: Report, further: str = "") -> Linked:
    """Return the same with every denial audited (`semodule -DB`), and with rules in CIL besides."""

    def make(folder: Path) -> None:
        policy = store(folder, checked=False)
        (folder / "further.cil").write_text(further, encoding="utf-8")
        policy.add(built(folder), *([folder / "further.cil"] if further else []))
        policy.without_silence()

    return Linked(cache.layer("audited", _hashed(further), make, report))


def _hashed(*further: str) -> str:
    base = Path("/var/lib/selinux") / STORE / "active/modules_checksum"
    base_text = base.read_bytes() if base.exists() else b""
    return cache.key(Path(__file__), base_text, *further, SOURCES, SOURCES / "compat")
