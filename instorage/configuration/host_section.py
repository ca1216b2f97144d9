"""The group `host` of the configuration: this node's link, patience, names and rules."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from instorage.configuration.document import Scalar
from instorage.configuration.section import plugin_directory
from instorage.tenancy.grant import KEY_PREFIX, is_public_line
from instorage.wire.fault import Fault
from instorage.wire.values import MountOption

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from instorage.configuration.section import Section

KEYS = (
    "link",
    "forceUseMultipath",
    "mountContext",
    *(
        f"{step}{what}"
        for step in ("scsiScan", "iscsiPathCheck", "multipathSearch")
        for what in ("RetryTimes", "WaitInterval")
    ),
    "multipathResizeDelay",
    "attachExtendFileLockPath",
    "nodeName",
    "namePrefix",
    "objects",
    "site",
    "fence",
    "volumeKey",
    "directNames",
    "logout",
)
_SITE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._ -]{0,61}[A-Za-z0-9._-])?", re.ASCII)
_NAME_PATTERN = re.compile(r"[A-Za-z0-9._*?-]{1,63}", re.ASCII)


class Link(StrEnum):
    """How this host reaches the array's data ports."""

    ISCSI = "iscsi"
    FC = "fc"


class Fence(StrEnum):
    """When detach may take a mapping from a node that has not unmapped itself (`host.fence`)."""

    NODE_LOST = "node-lost"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class Patience:
    """Attempts at a step, and the wait between them: upper bounds, never sleeps that are always paid."""

    times: int
    interval: float  # s

    @property
    def total(self) -> float:
        """Return the longest that the step may take, s; one look is always taken."""
        return self.times * self.interval


@dataclass(frozen=True)
class HostSettings:
    """Section `host`: this node's links, patience and names."""

    link: Link
    force_multipath: bool
    scsi_scan: Patience
    iscsi_path: Patience
    multipath_search: Patience
    resize_delay: float  # s
    lock_path: Path
    node_name: str
    name_prefix: str
    objects: Mapping[str, str]  # node -> host object on the array
    sites: Mapping[str, str]  # node -> site of two-site arrays, by name or id; "" for all that are not named
    fence: Fence
    logout: bool
    mount_context: str = ""
    """The SELinux label of all that is in a volume (mount option context=); "": each file has its own."""
    direct_names: tuple[str, ...] = ("*",)
    """Patterns (`*`, `?`) of the volume names that need no signature; names `pvc-*` with a key always do."""


def read_host(top: Section, host: Section | None) -> HostSettings:
    """Return the group `host`; raise `Fault(BAD_CONFIGURATION)` for what is wrong or missing in it."""
    if host is None:
        top.fail("host", "is missing: add the group with link: iscsi or link: fc")
    host.refuse_unknown(KEYS)
    if host.text("link") is None:
        host.fail("link", "is missing: add link: iscsi or link: fc")
    return HostSettings(
        link=Link(host.word("link", "", list(Link))),
        force_multipath=host.flag("forceUseMultipath", default=False),
        scsi_scan=_patience(host, "scsiScan"),
        iscsi_path=_patience(host, "iscsiPathCheck"),
        multipath_search=_patience(host, "multipathSearch"),
        resize_delay=host.seconds("multipathResizeDelay", 1, 3600),
        lock_path=_lock_path(host),
        node_name=host.name_of("nodeName", 253) or socket.gethostname(),
        name_prefix=host.name_of("namePrefix", 30) or "",
        objects=_objects(host),
        sites=_sites(host),
        fence=Fence(host.word("fence", Fence.NODE_LOST, list(Fence))),
        logout=host.flag("logout", default=False),
        mount_context=_mount_context(host),
        direct_names=_direct_names(host),
    )


def _patience(host: Section, step: str) -> Patience:
    return Patience(host.whole(f"{step}RetryTimes", 3, 10_000), host.seconds(f"{step}WaitInterval", 1, 3600))


def _lock_path(host: Section) -> Path:
    given = host.concrete("attachExtendFileLockPath")
    return plugin_directory(host.file) / given if given else host.file.absolute()


def _mount_context(host: Section) -> str:
    given = host.concrete("mountContext")
    if given:
        try:
            MountOption.parse(f"context={given}")
        except Fault:
            host.fail(
                "mountContext",
                f"has {given[:80]!r}: write a label as ls -Z has it, system_u:object_r:container_file_t:s0, "
                "with at most one category or a range of them",
            )
    return given or ""


def _objects(host: Section) -> dict[str, str]:
    objects = host.table("objects")
    for node, name in objects.items():
        others = [other for other, taken in objects.items() if taken == name and other != node]
        if others:
            host.fail(
                "objects",
                f"gives the host object {name!r} to {node} and to {others[0]}: one object is one node's",
            )
    return objects


def _sites(host: Section) -> dict[str, str]:
    """Return the site of each node, under "" that of all: the file may be one for all hosts."""
    if isinstance(host.present("site"), Scalar):
        everywhere = host.concrete("site")
        found = {"": everywhere} if everywhere else {}
    else:
        found = host.table("site")
    for name in found.values():
        if not _SITE.fullmatch(name):
            host.fail(
                "site", f"has {name[:80]!r}: write the site's name or id as lssite of the array shows it"
            )
    return found


def _direct_names(host: Section) -> tuple[str, ...]:
    if host.present("directNames") is None:
        return ("*",)
    patterns = host.texts("directNames")
    for pattern in patterns:
        if not _NAME_PATTERN.fullmatch(pattern):
            host.fail(
                "directNames",
                f"has {pattern[:80]!r}: a pattern has 1 to 63 letters, digits, '.', '-', '_', '*' or '?'",
            )
    return patterns  # an empty list allows none


def read_volume_keys(host: Section) -> tuple[str, ...]:
    """Return the public lines of the provisioners that sign volumes (`host.volumeKey`), () for none.

    What is set and could verify nothing is refused: an empty list would leave every volume open unseen.
    """
    lines = host.texts("volumeKey")
    if not lines and host.present("volumeKey") is not None:
        host.fail("volumeKey", "is an empty list: add a provisioner's line, or remove the key")
    for line in lines:
        if not is_public_line(line):
            host.fail(
                "volumeKey",
                f"has {line[:80]!r}, which is no public line: copy the one that the provisioner prints "
                f"({KEY_PREFIX} and 44 characters)",
            )
    return lines
