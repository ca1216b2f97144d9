"""What SELinux denied our domains on a machine of the lab."""

from typing import TYPE_CHECKING, Final

from nodeagent.administration.denials import rules

if TYPE_CHECKING:
    from tools.lab.machine import Machine

# journald has what the kernel audits from the audit socket; where nobody listened it is in the kernel's log,
# of which the kernel itself keeps the end alone.
SHOW: Final = "dmesg; journalctl -q -b --no-pager -o cat _TRANSPORT=audit + _TRANSPORT=kernel; true"
LIMIT: Final = 60  # seconds


def of(machine: "Machine") -> dict[str, str]:
    """Return the denials of our domains since the machine's boot: the rule that would allow each, a line."""
    return rules(machine.run(SHOW, LIMIT, check=False).stdout.splitlines())
