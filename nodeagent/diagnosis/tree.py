"""`instoragectl tree`: not in this version yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    import argparse

    from nodeagent.diagnosis.outcome import Outcome


def run(given: argparse.Namespace) -> Outcome:
    """Raise `Fault(NOT_SUPPORTED)`."""
    raise Fault(Code.NOT_SUPPORTED, f"instoragectl {given.command} is not in this version.")
