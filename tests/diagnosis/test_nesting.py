"""Which part of a request a thing belongs to."""

from __future__ import annotations

import json

from nodeagent.diagnosis import timeline
from nodeagent.diagnosis.entry import Entry


def test_a_short_command_lies_in_the_phase_that_made_it_and_not_in_a_shorter_one_beside() -> None:
    spans = [
        ["phase", "taking the call in", 0.0, 1.0, ""],
        ["phase", "asking array storage-01 for the volume", 1.0, 4.0, ""],
        ["command", "storage-01: lsvdisk", 1.2, 3.3, "0"],
    ]
    fields = {"INSTORAGE_OP": "a" * 10, "INSTORAGE_CALL": "waitforattach", "INSTORAGE_VOLUME": "vol1"}
    fields |= {"INSTORAGE_BEGAN": "1", "INSTORAGE_MS": "5", "INSTORAGE_SPANS": json.dumps(spans)}
    made = timeline.built("a" * 10, [Entry(fields)])
    assert made is not None
    taken, asked_for = made.root.parts
    assert (taken.parts, [part.what for part in asked_for.parts]) == ([], ["storage-01: lsvdisk"])
