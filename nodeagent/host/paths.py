"""Where things lie on a host: the plugin directory, the agent's state, the helper's socket."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from instorage import places

HELPER_SOCKET = "/run/instorage/helper.sock"
STATE = Path("/var/lib/instorage")


@dataclass(frozen=True)
class Paths:
    """The places that the agent uses. `records` is its own; it writes nowhere else but its log files."""

    plugin: Path
    configuration: Path
    state: Path
    helper_socket: str
    sysfs: Path = Path("/sys")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")

    @property
    def records(self) -> Path:
        """The directory of the ownership records."""
        return self.state / "volumes"

    @property
    def quarantine(self) -> Path:
        """The file of the LUN numbers that rest."""
        return self.state / "resting-luns"

    @property
    def adopted(self) -> Path:
        """The signed lines of PVs that carry no signature, beside the configuration."""
        return self.configuration.with_name("adopted")

    @property
    def attach(self) -> bool:
        """Say whether kubelet makes its attach calls: not if `.attach` beside the stub says false."""
        try:
            text = (self.plugin / ".attach").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return True
        return text.split()[:1] != ["false"]

    @classmethod
    def from_environment(cls) -> Paths:
        """Take `places`, and INSTORAGE_CONFIG, STATE_DIRECTORY (systemd's), INSTORAGE_HELPER_SOCKET."""
        plugin = places.plugin()
        return cls(
            plugin=plugin,
            configuration=Path(os.environ.get("INSTORAGE_CONFIG", plugin / "config/instorage.yaml")),
            state=Path(os.environ.get("STATE_DIRECTORY", STATE)),
            helper_socket=os.environ.get("INSTORAGE_HELPER_SOCKET", HELPER_SOCKET),
        )
