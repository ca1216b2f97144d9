"""Where things lie on a host: the plugin directory, the agent's state, the helper's socket."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from instorage import places
from instorage.wire.fault import Code, Fault

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
        """Say whether kubelet makes its attach calls: not if `.attach` beside the stub says false. Fault."""
        return self.attach_setting() != "false"

    def attach_setting(self) -> str:
        """Return the first word of `.attach`, empty when there is no such file.

        `Fault(BAD_CONFIGURATION)` when it cannot be read: the stub, which is root, may read «false» there.
        """
        file = self.plugin / ".attach"
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise Fault(
                Code.BAD_CONFIGURATION,
                f"The node agent cannot read {file} ({error.strerror}) and cannot tell whether kubelet makes "
                f"its attach calls: let everybody read it (chmod 644 {file}); under SELinux see to its "
                f"label, too (restorecon {file}).",
                setting=str(file),
            ) from None
        return "".join(text.split()[:1])

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
