"""The command line: which parts are wanted, what is to be done with them, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from installer.host import Host
from installer.saying import wrong

# As it is printed, whatever the length of its lines.
# ruff: noqa: E501
USAGE: Final = """\
Installs, upgrades, checks and removes InStorage for Kubernetes on this host, from the unpacked archive in which
this file lies. It needs no network, no compiler and no Python. Run it as root:

  ./install.sh --node                 what a node needs, or a host on which kube-controller-manager runs
  ./install.sh --provisioner          the provisioner, on a host from which the API server is reached
  ./install.sh --check [--node] [--provisioner]     only says what is in the way (without a part: of a node)
  ./install.sh --uninstall [--purge] [--node] [--provisioner]    removes (without a part: both); configuration and
                                      keys stay, with --purge nothing does
  --plugin-dir DIR      kubelet's --volume-plugin-dir, where it is another than Kubernetes' default
  --kubelet-root DIR    kubelet's --root-dir, where it is not /var/lib/kubelet; several separated by commas
  --prefix DIR          where the provisioner's folder goes (/opt)
  --root DIR            everything below DIR, nothing is started or looked for: for who builds images («/»: in one)

What was said once holds for later runs too: it is written to /etc/instorage/places. The same command upgrades, and
puts an older version back; it can be broken off at any moment, and given again.
"""
PARTS: Final = ("node", "provisioner")
DIRECTORIES: Final = ("--plugin-dir", "--kubelet-root", "--prefix", "--root")
HELP: Final = ("-h", "--help")


@dataclass
class Asked:
    """What the command line says; `action` is install, check, uninstall, help or version."""

    action: str = "install"
    parts: list[str] = field(default_factory=list)
    purge: bool = False
    directories: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> Host:
        """The host, or the image that --root names. Ending(2): there is none, or it is this running host."""
        if "--root" not in self.directories:
            return Host()
        root = Path(self.directories["--root"])
        if not root.is_dir():
            raise wrong(f"--root {root} is no directory")
        image = Host(str(root.resolve()).rstrip("/"), live=False)
        if not image.root and _runs():  # and nobody would look whether volumes are mounted
            raise wrong("--root / is for an image that is made, and systemd runs on this host: leave it out")
        return image


def _runs() -> bool:
    """Whether «/» is the root directory of the systemd that runs, and not of a chroot."""
    try:
        return Host().boots and Path("/proc/1/root").samefile("/")
    except OSError:
        return False


def read(words: list[str]) -> Asked:
    """Read the command line; Ending(2) for one that cannot be meant."""
    asked, left = Asked(), list(words)
    while left:
        word = left.pop(0)
        option, equals, value = word.partition("=")
        if word in HELP or word == "--version":
            asked.action = "help" if word in HELP else "version"
            return asked
        if option in DIRECTORIES and (value or not equals):
            asked.directories[option] = value if equals else _directory(option, left)
        elif not _plain(asked, word):
            raise wrong(f"{word} is not known")
    _complete(asked)
    return asked


def _plain(asked: Asked, word: str) -> bool:
    name = word.removeprefix("--")
    if not word.startswith("--"):
        return False
    if name in PARTS:
        asked.parts += [name] if name not in asked.parts else []
    elif name in ("check", "uninstall"):
        if asked.action not in ("install", name):
            raise wrong("--check changes nothing and --uninstall removes: only one of them can be meant")
        asked.action = name
    elif name == "purge":
        asked.purge = True
    else:
        return False
    return True


def _directory(option: str, left: list[str]) -> str:
    if not left or not left[0] or left[0].startswith("-"):
        raise wrong(f"{option} needs a directory")
    return left.pop(0)


def _complete(asked: Asked) -> None:
    if asked.purge and asked.action != "uninstall":
        raise wrong("--purge belongs to --uninstall")
    if asked.action == "uninstall":
        asked.parts = asked.parts or list(PARTS)
    elif asked.action == "check":
        asked.parts = asked.parts or ["node"]
    elif not asked.parts:
        raise wrong("say what is wanted here: --node, --provisioner or both")
