"""The kubelet of this host: it must look where the stub is put, and the helper know its directories."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from installer import places
from installer.host import named, read_file
from installer.saying import complain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from installer.host import Host
    from installer.places import Places
    from installer.saying import Refusals


def runs() -> bool:
    """Whether a kubelet runs on this host."""
    return bool(named("kubelet"))


def _said(arguments: list[str], flag: str) -> str:
    found = ""
    for number, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in (f"-{flag}", f"--{flag}"):
            found = value if equals else "".join(arguments[number + 1 : number + 2])
    return found


def _plugins(arguments: list[str]) -> str:
    given, config = _said(arguments, "volume-plugin-dir"), _said(arguments, "config")
    if given or not config:
        return given
    text = read_file(Path(os.path.realpath(config)))
    found = re.search(r"""^[ \t{]*["']?volumePluginDir["']? *: *["']?([^"'#,}\s]+)""", text, re.MULTILINE)
    return found[1] if found else ""


def look(refusals: Refusals, host: Host, where: Places, asked: Mapping[str, str]) -> None:
    """Say where the kubelet that runs looks elsewhere, with the option that mends it."""
    arguments = named("kubelet")
    known = places.said(host)
    plugins = _plugins(arguments).removesuffix("/")
    stub = Path(f"{plugins}/{places.DRIVER}")
    if plugins and "--plugin-dir" not in asked and not places.same(stub, Path(where.plugin)):
        parent = str(Path(where.plugin).parent)
        _unless_said(
            refusals, known.get("INSTORAGE_PLUGIN", ""),
            f"kubelet on this host looks for plugins in {_plugins(arguments)}, this goes to {parent}: "
            f"give --plugin-dir {plugins} (or, if you know better, --plugin-dir {parent}).",
        )  # fmt: skip
    root = _said(arguments, "root-dir")
    if root and "--kubelet-root" not in asked and root.removesuffix("/") not in where.roots.split(","):
        _unless_said(
            refusals, known.get("INSTORAGE_KUBELET_ROOTS", ""),
            f"kubelet on this host has its directories in {root}, not in {where.roots}: "
            f"give --kubelet-root {root.removesuffix('/')}.",
        )  # fmt: skip


def _unless_said(refusals: Refusals, known: str, sentence: str) -> None:
    """Refuse, but for who has said before where it is to go."""
    if known:
        complain(sentence)
    else:
        refusals.add(sentence)
