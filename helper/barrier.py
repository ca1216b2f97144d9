"""Barrier: what must be known of an active-active expansion even when everything else is gone (safety.md 18).

The record is for programs and stays here; the barrier file is its copy for people and other programs, in the
plugin directory, into which the agent may not write. What is written in both is the agent's affair.
"""

import json
import time

from helper import store
from helper.settings import Settings
from helper.volume import hold
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import BarrierReply, BarrierRequest, Step
from instorage.wire.steps import reached
from instorage.wire.values import VolumeUid
from instorage.wire.varlink import decode

RECORDS = "/var/lib/instorage-helper/aa"
FILE = "aa-extend-failure.barrier"
_MOST = 6
_RECORD, _ESCAPED, _TEXT = 8 << 10, 10 << 10, 24 << 10  # bytes; all records must fit into one answer
_WAIT = 10  # seconds


def barrier(request: BarrierRequest, settings: Settings) -> BarrierReply:
    """Keep or erase a record and the barrier file; return every record that is kept, by UID."""
    with hold("barrier", request.op, time.monotonic() + _WAIT):  # not the volume's: that may be frozen
        if request.record or request.text or request.erase:
            uid = _checked(request)
            settings.check(uid)
            _change(request, uid, settings)
        return BarrierReply(tuple(store.get(RECORDS, uid) or "" for uid in store.names(RECORDS)))


def _checked(request: BarrierRequest) -> VolumeUid:
    record, text = (one.encode("utf-8", "surrogatepass") for one in (request.record, request.text))
    large = len(record) > _RECORD or len(json.dumps(request.record)) > _ESCAPED or len(text) > _TEXT
    if request.uid is None or large or (record and request.erase):
        said = f"A barrier is one volume's, kept or erased, of {_RECORD} bytes, its file of {_TEXT} at most."
        raise Fault(Code.BAD_REQUEST, said, field="record")
    try:
        decode(record or b"{}")
    except Fault as fault:
        raise Fault(Code.BAD_REQUEST, f"The record is no JSON object: {fault}", field="record") from None
    kept = store.names(RECORDS)
    if request.record and request.uid not in kept and len(kept) >= _MOST:
        said = f"{_MOST} active-active expansions are broken off on this host: finish one of them first."
        raise Fault(Code.BARRIER, said, uid=request.uid)
    return request.uid


def _change(request: BarrierRequest, uid: VolumeUid, settings: Settings) -> None:
    there = store.get(settings.plugin_directory, FILE)
    if request.record:
        store.put(RECORDS, uid, request.record)
        reached(Step.HELPER_BARRIER_RECORDED)
    if request.text and request.text != there:  # each event in that directory has kubelet run init
        store.put(settings.plugin_directory, FILE, request.text, 0o644)
        reached(Step.HELPER_BARRIER_SHOWN)
    if request.erase:  # the file first: without its record nobody could say what it is about
        if not request.text and uid in (there or "").lower():
            store.drop(settings.plugin_directory, FILE)
            reached(Step.HELPER_BARRIER_TAKEN_DOWN)
        store.drop(RECORDS, uid)
        reached(Step.HELPER_BARRIER_ERASED)
