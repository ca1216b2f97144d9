"""The answer to a FlexVolume call: one JSON object, and what kubelet makes of it (flexvolume.md 1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instorage.wire.fault import Fault

MESSAGE_LIMIT = 4000  # characters


class Status(StrEnum):
    """What kubelet understands."""

    SUCCESS = "Success"
    FAILURE = "Failure"
    NOT_SUPPORTED = "Not supported"


@dataclass(frozen=True)
class Answer:
    """One answer; `fields` beside status and message: device, volumeName, attached, capabilities."""

    status: Status
    message: str = ""
    fields: dict[str, object] = field(default_factory=dict)

    @property
    def exit_status(self) -> int:
        """Return 0 for Success and Not supported, 1 for Failure."""
        return 1 if self.status is Status.FAILURE else 0

    def text(self) -> str:
        """Return the JSON object, without control characters, within the stub's limit."""
        found: dict[str, object] = {"status": self.status.value}
        if self.message:
            found["message"] = "".join(c if c.isprintable() else " " for c in self.message)[:MESSAGE_LIMIT]
        found.update(self.fields)
        return json.dumps(found, ensure_ascii=False).replace("\x7f", "?")


def failure(fault: Fault, op: str, remark: str = "") -> Answer:
    """Turn a fault into a Failure whose sentence carries its code, which `why` reads, and the request."""
    sentence = f"{fault.sentence} {remark}".strip()
    return Answer(Status.FAILURE, f"{sentence} [{fault.code.value}] (request {op})")
