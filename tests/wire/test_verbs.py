"""Requests to the helper are checked field by field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.wire import host_lock, interface, record, verbs
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, Lun, Portal, RequestId, VolumeUid, Wwpn

REQUEST = verbs.AttachRequest(
    op=RequestId("op01"),
    uid=VolumeUid("60050760008989c0d00000000002c485"),
    size=Bytes(1 << 30),
    paths=(verbs.IscsiPath(Portal("10.9.0.1", 3260), Iqn("iqn.2004-12.com.inspur:mcs.node1"), Lun(3)),),
    multipath=verbs.Multipath.PREFERRED,
    wait_ms=1000,
)


def test_a_request_arrives_as_it_was_sent() -> None:
    assert record.from_json(verbs.AttachRequest, record.to_json(REQUEST)) == REQUEST


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uid", "60050760008989c0d00000000002c485\n"),
        ("size", "1073741824"),
        ("size", True),
        ("paths", {}),
        ("paths", [{"portal": "10.9.0.1:3260", "target": "-p"}]),
        ("multipath", "maybe"),
        ("wait_ms", 1.5),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    sent = record.to_json(REQUEST) | {field: value}
    with pytest.raises(Fault) as refused:
        record.from_json(verbs.AttachRequest, sent)
    assert refused.value.code is Code.BAD_REQUEST
    assert field in refused.value.sentence or "target" in refused.value.sentence


@pytest.mark.parametrize("field", ["op", "uid", "size", "paths", "multipath", "wait_ms"])
def test_a_missing_field_is_named(field: str) -> None:
    sent = record.to_json(REQUEST)
    del sent[field]
    with pytest.raises(Fault, match=f"{field} is missing"):
        record.from_json(verbs.AttachRequest, sent)


ANY = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text()))


@pytest.mark.parametrize("verb", sorted(interface.VERBS))
@given(data=st.data())
def test_no_content_crashes_the_reader_of_a_request(verb: str, data: st.DataObject) -> None:
    kind = interface.VERBS[verb][0]
    keys = st.sampled_from([*record.to_json(REQUEST), "target", "source", "mode", "x"])
    found = data.draw(st.dictionaries(keys, ANY))
    try:
        assert isinstance(record.from_json(kind, found), kind)
    except Fault as fault:
        assert fault.code is Code.BAD_REQUEST


def test_a_fault_crosses_the_wire_unchanged() -> None:
    sent = Fault(Code.DEVICE_BUSY, "It is mounted on /mnt.", holder="/mnt")
    back = Fault.from_wire(sent.to_wire())
    assert (back.code, back.sentence, back.fields) == (sent.code, sent.sentence, sent.fields)


def test_a_code_of_a_newer_version_is_shown_not_lost() -> None:
    back = Fault.from_wire({"code": "quantum-path", "sentence": "No qubit.", "fields": {"code": "x"}})
    assert (back.code, back.sentence) == (Code.INTERNAL, "No qubit.")


def test_what_only_python_knows_of_a_record_is_no_field_of_it() -> None:
    with pytest.raises(Fault) as refused:
        record.from_json(host_lock.UnlockRequest, {"op": "test1", "__dataclass_fields__": {}})
    assert refused.value.fields == {"field": "__dataclass_fields__"}


OVER_FC = verbs.AttachRequest(
    REQUEST.op,
    REQUEST.uid,
    REQUEST.size,
    (),
    REQUEST.multipath,
    REQUEST.wait_ms,
    (verbs.FcPath(Wwpn("500507680110aaaa"), Lun(300)),),
)


def test_a_request_over_fibre_channel_arrives_as_it_was_sent() -> None:
    assert record.from_json(verbs.AttachRequest, record.to_json(OVER_FC)) == OVER_FC


def test_a_request_that_knows_no_fibre_channel_means_what_it_did() -> None:
    sent = record.to_json(REQUEST)
    del sent["fc_paths"]
    assert record.from_json(verbs.AttachRequest, sent) == REQUEST


@pytest.mark.parametrize(
    "path", [{"target": "50:05:07:68:01:10:aa:aa", "lun": 1}, {"target": "500507680110aaaa", "lun": -1}]
)
def test_a_path_over_fibre_channel_is_one_port_and_one_lun(path: dict[str, object]) -> None:
    sent = record.to_json(OVER_FC) | {"fc_paths": [path]}
    with pytest.raises(Fault, match=r"FcPath\.(target|lun)"):
        record.from_json(verbs.AttachRequest, sent)


@pytest.mark.parametrize("way", [{"path": REQUEST.paths[0]}, {"fc_path": OVER_FC.fc_paths[0]}])
def test_a_refused_path_is_named_whatever_its_link(way: dict[str, verbs.IscsiPath | verbs.FcPath]) -> None:
    sent = verbs.RefusedPath("no-path", "It is gone.", **way)  # type: ignore[arg-type]
    assert record.from_json(verbs.RefusedPath, record.to_json(sent)) == sent
