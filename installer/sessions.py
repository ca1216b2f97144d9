"""iSCSI sessions that the vendor's program made: each brings every LUN that is mapped to the host.

So does a restart of iscsid, by the record of the session. What is not asked for would come while it is being
taken away; so the records get what those of our logins have. The sessions themselves go on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from installer.host import run
from installer.saying import complain

SYSFS: Final = "/sys/class/iscsi_session"
MAKER: Final = "INSPUR"
NAMED: Final = re.compile(r"[.:]inspur[.:]")
SCAN: Final = "node.session.scan"
ADMINISTRATORS: Final = ("automatic", "onboot")  # node.startup of who wants it at every boot
LISTED: Final = re.compile(r"^\w+: \[(\d+)\] (\S+),\d+ (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Session:
    """A session: its number, target and portal as iscsiadm says them."""

    number: str
    portal: str
    target: str

    @property
    def said(self) -> str:
        """The session, for people."""
        return f"session to {self.target} at {self.portal}"

    @property
    def record(self) -> tuple[str, ...]:
        """The arguments by which iscsiadm finds its record."""
        return ("iscsiadm", "-m", "node", "-T", self.target, "-p", self.portal)


def vendors() -> list[Session]:
    """Return the sessions to the vendor's arrays whose records bring LUNs, but for an administrator's own."""
    listed = [Session(*facts) for facts in LISTED.findall(run("iscsiadm", "-m", "session").said)]
    return [one for one in listed if _of_array(one) and _brings(one)]


def quieten() -> None:
    """Have no later login by these records bring LUNs; a session that is there stays as it is."""
    for one in vendors():
        done = run(*one.record, "-o", "update", "-n", SCAN, "-v", "manual", errors=True)
        if done.status:
            complain(
                f"the {one.said} goes on bringing every LUN when iscsid starts again ({done.said}): "
                "open-iscsi 2.0.875 or newer can be told not to."
            )


def _of_array(session: Session) -> bool:
    """Whether all disks behind it are the array's; when there are none, whether its target is called so."""
    behind = Path(SYSFS, f"session{session.number}", "device").glob("target*/*/vendor")
    makers = {path.read_text(errors="replace").strip() for path in behind}
    return makers == {MAKER} if makers else bool(NAMED.search(session.target))


def _brings(session: Session) -> bool:
    lines = (line.partition(" = ") for line in run(*session.record).lines)
    said = {key.strip(): value.strip() for key, _, value in lines}
    return said.get(SCAN) == "auto" and said.get("node.startup") not in ADMINISTRATORS
