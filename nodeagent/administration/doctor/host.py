"""The node under examination: where things lie and how it is set up, and what helper and arrays answer."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instorage import places
from instorage.wire import record
from instorage.wire.values import RequestId
from nodeagent.host import identity
from nodeagent.host.helper_client import Helper

if TYPE_CHECKING:
    from instorage.configuration.settings import Configuration
    from nodeagent.administration.doctor.arrays_child import ArraysChild
    from nodeagent.administration.doctor.looks import Looks
    from nodeagent.host.paths import Paths

ARRAY_SECONDS = 20.0
"""For all arrays together, with a login; they answer within two, but not on a busy node or array."""


@dataclass(frozen=True)
class ArrayEntry:
    """An array of the configuration."""

    name: str
    address: str
    port: int


@dataclass(frozen=True)
class Setup:
    """What the configuration says; `fault` when it cannot be used, and then only places are right.

    `provisioner` is the folder of one on this host, if there is any; `log` the directory of log files, empty
    when there are none; `warnings` are the configuration's own.
    """

    plugin: str
    configuration: str
    state: str
    helper_socket: str
    kubelet_roots: tuple[str, ...]
    link: str = ""
    node: str = ""
    force_multipath: bool = False
    host_names: tuple[str, ...] = ()
    log: str = ""
    arrays: tuple[ArrayEntry, ...] = ()
    warnings: tuple[str, ...] = ()
    fault: str = ""
    provisioner: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it for a bundle; there is no secret in it."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Setup:
        """Rebuild what `to_json` gave."""
        arrays = tuple(ArrayEntry(**one) for one in found["arrays"])
        lists = {key: tuple(found[key]) for key in ("kubelet_roots", "host_names", "warnings")}
        return cls(**{**found, **lists, "arrays": arrays})


def setup(paths: Paths, found: Configuration | None, fault: str = "") -> Setup:
    """Return the setup of this node."""
    lies = Setup(
        str(paths.plugin), str(paths.configuration), str(paths.state), paths.helper_socket,
        places.kubelet_roots(), fault=fault, provisioner=str(places.provisioner()),
    )  # fmt: skip
    if found is None or found.host is None:
        return lies
    host = found.host
    return Setup(
        lies.plugin, lies.configuration, lies.state, lies.helper_socket, lies.kubelet_roots,
        host.link.value, host.node_name, host.force_multipath,
        (given,) if (given := identity.assigned(host)) else identity.host_names(host),
        str(found.log.directory) if found.log.enabled else "",
        tuple(ArrayEntry(one.name, one.address, one.port) for one in found.storage),
        tuple(found.warnings), provisioner=lies.provisioner,
    )  # fmt: skip


@dataclass(frozen=True)
class Host:
    """`volume`: the one that is asked about, or all. `child` is None when nobody can be asked now.

    `array_seconds`: how long the arrays may take.
    """

    looks: Looks
    setup: Setup
    child: ArraysChild | None = None
    volume: str = ""
    array_seconds: float = ARRAY_SECONDS

    def arrays(self, turn: int = 1) -> dict[str, Any]:
        """Return what each array says (`array_view.view`), in the first look or a later one; Fault."""
        child = self.child
        if child is None:
            return dict(self.looks.answer(f"arrays {turn}", dict))
        return dict(self.looks.answer(f"arrays {turn}", lambda: child.view(self.array_seconds)))

    def volumes(self, wanted: dict[str, list[str]]) -> dict[str, Any]:
        """Return what arrays say of single volumes (`array_view.volume_view`), by array and UID; Fault."""
        child, key = self.child, "volumes " + ",".join(sorted(itertools.chain.from_iterable(wanted.values())))
        if child is None:
            return dict(self.looks.answer(key, dict))
        return dict(self.looks.answer(key, lambda: child.volumes(wanted, self.array_seconds)))

    def kernel(self, turn: int = 1) -> list[dict[str, Any]]:
        """Return what the kernel has of each volume (`verbs.InspectReply`), as the helper says; Fault."""
        return list(self.looks.answer(f"kernel {turn}", self._inspect))

    def records(self, turn: int = 1) -> dict[str, str]:
        """Return the texts of the agent's records by file name; OSError when they cannot be read."""
        return dict(self.looks.answer(f"records {turn}", self._records))

    def _inspect(self) -> list[dict[str, object]]:
        with Helper(self.setup.helper_socket, RequestId(secrets.token_hex(5))) as helper:
            return [record.to_json(one) for one in helper.inspect_all()]

    def _records(self) -> dict[str, str]:
        at = Path(self.setup.state) / "volumes"
        found = {}
        for path in sorted(at.iterdir()) if at.exists() else ():
            if not path.name.startswith("."):
                text = _text(path)
                found.update({path.name: text} if text is not None else {})
        return found


def _text(path: Path) -> str | None:
    """Return a record's text; None when it went meanwhile."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        return ""
