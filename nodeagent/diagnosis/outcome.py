"""What a command of `instoragectl` has to say: lines for people, an object for programs, an exit status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Outcome:
    """`lines` come while the work goes on; `data` is what `--json` prints, without it the lines as a list.

    `status`: the exit status. `abandon`: end at once when it is said: a thread hangs in the kernel.
    """

    lines: Iterable[str] = ()
    data: Mapping[str, object] | None = None
    status: int = 0
    abandon: bool = False
