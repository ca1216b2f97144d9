"""`instoragectl tree`: a volume's whole chain on one screen, from the claim to the mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeagent.diagnosis import why
from nodeagent.diagnosis.branches import drawn
from nodeagent.diagnosis.outcome import Outcome

if TYPE_CHECKING:
    import argparse


def run(given: argparse.Namespace) -> Outcome:
    """Return the chain of a volume, an age and a proof a line; exit status as `why`."""
    verdict = why.judged(given.volume, given.config)
    return Outcome([verdict.sentence, *drawn(verdict.links, proof=True)], verdict.to_json(), verdict.status)
