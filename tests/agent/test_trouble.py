"""What can be out of order, and the sentence that each trouble ends in."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from tests.agent.bench import NODE, device_target, options, pod_target, until
from tests.agent.helper_peer import IQN, FaultError

if TYPE_CHECKING:
    import pytest

    from tests.agent.bench import Bench


def test_a_missing_volume_is_named_with_the_mend(bench: Bench) -> None:
    message = bench.attach("nosuch").failure("Array storage-01 has no volume nosuch")
    assert re.search(r"\(request [0-9a-z]{4,32}\)$", message)
    assert bench.records() == {}


def test_an_unknown_array_name_names_those_there_are(bench: Bench) -> None:
    message = bench.attach("vol1", options("vol1", storageName="other")).failure("'other'")
    assert "storage-01" in message


def test_a_helper_that_is_gone_is_named_with_its_unit(bench: Bench) -> None:
    bench.create("vol1")
    bench.helper.stop()
    bench.attach("vol1").failure("instorage-helper.socket")
    bench.call("unmount", pod_target("vol1")).failure("instorage-helper.socket")
    assert bench.maps("vol1") == []
    bench.helper.start()
    bench.attach("vol1").success()


def test_a_helper_that_dies_within_an_attach_leaves_mapping_and_record_for_later(bench: Bench) -> None:
    uid = bench.create("vol1")
    for _ in range(2):
        bench.helper.script("Attach", dies=True)
    bench.helper.script("Detach", dies=True)
    bench.attach("vol1").failure("during Attach")
    assert bench.maps("vol1") == ["iscsi-node1"], "unmapped although nobody saw the devices gone"
    assert uid in bench.records()


def test_a_failed_attach_is_taken_back(bench: Bench) -> None:
    bench.create("vol1")
    bench.helper.script("Attach", fault=FaultError("wrong-device", "Page 0x83 says another volume."))
    bench.attach("vol1").failure("Page 0x83 says another volume.")
    verbs = bench.helper.verbs()
    assert verbs.index("Detach") > verbs.index("Attach")
    assert bench.maps("vol1") == []
    assert bench.records() == {}
    until(lambda: bench.helper.locks == 0)


def test_a_failed_look_at_an_attached_volume_takes_nothing_back(bench: Bench) -> None:
    uid = bench.create("vol1")
    bench.attach("vol1").success()
    bench.mount_device("vol1").success()
    bench.helper.script("Attach", fault=FaultError("no-path", "A path is lost."))
    bench.attach("vol1").failure("A path is lost.")
    assert bench.maps("vol1") == ["iscsi-node1"]
    assert uid in bench.records()
    assert bench.helper.mounts


def test_a_wrong_password_says_so(bench: Bench) -> None:
    bench.create("vol1")
    bench.configure(password="wrong")
    message = bench.attach("vol1").failure()
    assert "storage-01" in message
    assert "password" in message
    assert "wrong" not in message.replace("wrong password", "").replace("is wrong", "")


def test_a_rotated_password_is_used_without_a_restart(bench: Bench) -> None:
    bench.create("vol1")
    bench.create("vol2")
    bench.attach("vol1").success()
    bench.do("password", password="n3w")
    bench.do("drop-connections")
    bench.configure(password="n3w")
    bench.attach("vol2").success()


def test_an_array_that_is_away_is_named(bench: Bench) -> None:
    bench.create("vol1")
    bench.configure(
        storage="- name: gone\n  type: AS18000\n  host: 127.0.0.1:1\n  username: u\n  password: p\n"
    )
    message = bench.attach("vol1", options("vol1", storageName="gone")).failure("gone")
    assert "127.0.0.1:1" in message
    bench.attach("vol1").success()


def test_a_broken_configuration_keeps_the_old_and_says_so(bench: Bench) -> None:
    bench.create("vol1")
    bench.attach("vol1").success()
    bench.write_configuration("host: [\n")
    reply = bench.attach("vol1").success()
    assert "stays in force" in reply.message
    assert "instorage.yaml" in reply.message
    bench.configure()
    assert bench.attach("vol1").success().message == ""


def test_without_a_configuration_each_call_says_what_to_do(bench: Bench) -> None:
    agent = bench.restart(lambda: bench.paths.configuration.unlink())
    assert agent.server.calls == 0
    bench.attach("vol1").failure("instorage.yaml")
    bench.configure()
    bench.create("vol1")
    bench.attach("vol1").success()


def test_a_volume_of_another_host_is_refused_by_its_name(bench: Bench) -> None:
    bench.create("vol1")
    bench.make_host("iscsi-other", "iqn.1993-08.org.debian:01:other")
    bench.map("vol1", "iscsi-other")
    bench.attach("vol1").failure("iscsi-other")
    assert bench.maps("vol1") == ["iscsi-other"]
    assert bench.records() == {}


def test_a_host_object_with_a_foreign_name_is_refused_with_the_line_to_add(bench: Bench) -> None:
    bench.create("vol1")
    bench.make_host("esx-17", IQN)
    message = bench.attach("vol1").failure("esx-17")
    assert "objects" in message
    bench.configure(host=f"  objects:\n    {NODE}: esx-17\n")
    bench.attach("vol1").success()
    assert bench.maps("vol1") == ["esx-17"]


def test_a_node_without_an_initiator_name_is_told_what_to_install(bench: Bench) -> None:
    bench.create("vol1")
    bench.helper.iqn = None
    bench.attach("vol1").failure("open-iscsi")


def test_an_outcome_that_is_unknown_is_read_again(bench: Bench) -> None:
    bench.create("vol1")
    bench.do("fault", command="mkvdiskhostmap", after="connection")
    bench.attach("vol1").success()
    assert bench.maps("vol1") == ["iscsi-node1"]


def test_nonsense_is_answered_with_a_sentence(bench: Bench) -> None:
    assert bench.call("frobnicate").answer["status"] == "Not supported"
    bench.call("waitforattach", "x").failure("needs 2 arguments")
    bench.call("waitforattach", "x", "{").failure("not JSON")
    bench.call("waitforattach", "x", options("-rf")).failure("volume name")
    bench.call("mountdevice", "/etc", "x", options("vol1")).failure("/etc")
    bench.call("unmountdevice", device_target("a/../../b")).failure("is not the path")
    bench.call("mount", pod_target("vol1"), options("vol2")).failure("vol2")
    bench.call("expandvolume", options("vol1"), device_target("vol1"), "2", "1").failure("enlarge its claim")
    for size in ("", "0", "-1", "1.5", "1Gi", "９", "9" * 30):
        call = ("expandfs", options("vol1"), "", device_target("vol1"), size, "1")
        bench.call(*call).failure("is not a number of bytes")


def test_secrets_in_the_options_are_in_no_record_and_no_answer(bench: Bench) -> None:
    bench.create("vol1")
    text = options("vol1", **{"kubernetes.io/secret/password": "S3CRETMARK"})
    reply = bench.attach("vol1", text).success()
    assert "S3CRETMARK" not in str(reply)
    assert "S3CRETMARK" not in str(bench.records())
    assert "S3CRETMARK" not in str(bench.helper.calls)


def test_a_call_that_never_ends_is_cut_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.service.caller.READ_SECONDS", 0.2)
    began = time.monotonic()
    slow = bench.begin_raw(b"waitforattach\0")
    assert "did not come" in until(lambda: slow.recv(65536)).decode()
    assert time.monotonic() - began < 5
    slow.close()
