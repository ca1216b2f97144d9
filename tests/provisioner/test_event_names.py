"""The names of events are names that the API documents, whatever their object is called."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.events import Event, Events

if TYPE_CHECKING:
    from provisioner.cluster import Cluster

LABEL = r"[a-z0-9]([-a-z0-9]{0,250}[a-z0-9])?"
DNS = re.compile(rf"{LABEL}(\.{LABEL})*")
NAMES = st.from_regex(r"[a-z0-9]{1,20}([-.][a-z0-9]{1,20}){0,8}", fullmatch=True)
LONG = st.integers(225, 238).map(lambda at: f"{'a' * at}-{'b' * 6}.c")


@settings(max_examples=150)
@given(NAMES | LONG)
def test_an_events_name_is_a_dns_name_of_at_most_253_characters(name: str) -> None:
    events = Events(cast("Cluster", None), "instorage-provisioner", "host")
    about = {"metadata": {"name": name, "namespace": "default", "uid": "u"}}
    body = events._body(Event(about, "PersistentVolumeClaim", normal=True, reason="Told", message="it"))
    made = body["metadata"]["name"]
    assert DNS.fullmatch(made)
    assert len(made) <= 253
    assert made.startswith(name[:200])
