"""One thing that is not as it should be, as every command says it: what, where, why, who, do this.

What is in order has no finding. A finding is never a guess: `proof` names the object, file, command or answer
that it was read from.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from nodeagent.diagnosis.foreign import printable

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """`WARNING`: it works yet, or in part, or could not be looked at. `ERROR`: something does not work."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Who(StrEnum):
    """Whose administrator must act; `NOBODY`: it goes by itself."""

    KUBERNETES = "kubernetes"
    NODE = "node"
    SAN = "san"
    ARRAY = "array"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Finding:
    """A finding.

    `check` is the check that found it («portals»), `code` stable for programs («portal-unreachable»),
    `sentence` whole: what is where. `cause` and `risk` are sentences or empty; `command` is one that is safe
    as it stands, or what to do in words; `proof` is where it was read; `volume` the one that it is about.
    """

    check: str
    code: str
    severity: Severity
    sentence: str
    cause: str = ""
    risk: str = ""
    who: Who = Who.NODE
    command: str = ""
    proof: str = ""
    volume: str = ""

    def __post_init__(self) -> None:
        """Take out of the texts what a terminal would obey: a process may be called as it likes."""
        for key in ("sentence", "cause", "risk", "command", "proof", "volume"):
            object.__setattr__(self, key, printable(getattr(self, key)))

    def to_json(self) -> dict[str, str]:
        """Return it as an object of texts, every key there."""
        return {key: str(value) for key, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, found: dict[str, str]) -> Finding:
        """Rebuild what `to_json` gave; ValueError or TypeError when it is none."""
        words = {key: str(value) for key, value in found.items() if key not in ("severity", "who")}
        return cls(**words, severity=Severity(found["severity"]), who=Who(found["who"]))


def exit_status(findings: Iterable[Finding]) -> int:
    """Return 0 when there is nothing, 1 for warnings alone, 2 when one is an error."""
    worst = {one.severity for one in findings}
    return 2 if Severity.ERROR in worst else int(Severity.WARNING in worst)
