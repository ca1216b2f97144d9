"""A volume is deleted only when nobody wants it, by UID or by name, and its PV is no copy from a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

from instorage.tenancy.signature import SigningKey
from instorage.wire.fault import Code, Fault
from provisioner.cluster import VOLUMES
from provisioner.persistent_volume import MARK
from provisioner.rebinding import Rebinding

if TYPE_CHECKING:
    from provisioner.cluster import Cluster, Object
    from tests.provisioner.bench import Bench


def kept(bench: Bench, volume: Object, sentence: str) -> Fault:
    """See that the volume and its PV stay, with that sentence."""
    with pytest.raises(Fault, match=sentence) as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.NOT_OURS
    assert bench.names() == [volume["metadata"]["name"]]
    assert bench.volume(volume["metadata"]["name"])
    return caught.value


def test_a_volume_that_nobody_wants_is_deleted(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    bench.deletion.run(volume)
    assert bench.names() == []
    assert not bench.memory.objects(VOLUMES)[0]


def test_a_pv_that_was_made_anew_from_a_backup_keeps_its_volume_before_its_claim_is_there(
    bench: Bench,
) -> None:
    volume = bench.restored(bench.released(bench.claim()))
    fault = kept(bench, volume, "never been bound since it was made")
    assert f"kubectl annotate --overwrite pv {volume['metadata']['name']} {MARK}=" in fault.sentence


def test_a_pv_that_a_claim_of_the_same_name_names_keeps_its_volume(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    claim = bench.claim(volumeName=volume["metadata"]["name"])
    kept(bench, volume, rf"default/data \(UID {claim['metadata']['uid']}\) names this PV")
    (event,) = [event for event in bench.said if event.reason == "VolumeIsAnothers"]
    assert event.about["metadata"]["uid"] == claim["metadata"]["uid"]
    patch = (
        f'kubectl patch pv {volume["metadata"]["name"]} -p \'{{"spec":{{"claimRef":{{"namespace":"default",'
    )
    assert f'{patch}"name":"data","uid":"{claim["metadata"]["uid"]}"}}}}}}\'' in event.message
    bench.drop(claim)
    bench.deletion.run(volume)
    assert bench.names() == [], "nobody wants it any more"


def test_a_pv_that_a_claim_of_another_name_and_namespace_names_keeps_its_volume(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    bench.claim("moved", "elsewhere", volumeName=volume["metadata"]["name"])
    kept(bench, volume, "elsewhere/moved")


def test_a_claim_of_another_namespace_is_given_no_command_that_binds_it(bench: Bench) -> None:
    """Any tenant may name any PV: an administrator who obeys would give him the data."""
    volume = bench.released(bench.claim())
    name = volume["metadata"]["name"]
    evil = bench.claim("x", "aaa-evil", volumeName=name)
    fault = kept(bench, volume, r"aaa-evil/x .*: of another namespace than default, where the data is from")
    assert "kubectl" not in fault.sentence
    own = bench.claim(volumeName=name)
    fault = kept(bench, volume, r"claim default/data .*, aaa-evil/x .* names this PV")
    assert f'"namespace":"default","name":"data","uid":"{own["metadata"]["uid"]}"' in fault.sentence
    assert '"namespace":"aaa-evil"' not in fault.sentence + bench.text
    told = [
        event.message for event in bench.said if event.about["metadata"]["uid"] == evil["metadata"]["uid"]
    ]
    assert told
    assert all(
        "of another namespace than default" in message and "kubectl" not in message for message in told
    )


def test_a_waiting_claim_of_another_namespace_is_not_told_how_to_get_a_pv(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    claim = bench.claim("x", "aaa-evil", volumeName=volume["metadata"]["name"])
    path = "/api/v1/namespaces/aaa-evil/persistentvolumeclaims/x"
    claim["status"] = bench.memory.kept[path]["status"] = {"phase": "Pending"}
    with pytest.raises(Fault, match="of another namespace than default, where the data is from") as caught:
        Rebinding(cast("Cluster", bench.memory), "inspur/instorage").run(claim, volume)
    assert "kubectl" not in caught.value.sentence


def test_a_new_claim_of_the_old_name_that_wants_a_new_volume_keeps_nothing(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    bench.claim()
    bench.deletion.run(volume)
    assert bench.names() == []


def test_a_policy_that_became_retain_while_the_array_was_asked_holds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())
    array = bench.client.get(None)
    find = array.find_volume

    def meanwhile(name: Any) -> Any:
        bench.volume(name)["spec"]["persistentVolumeReclaimPolicy"] = "Retain"
        return find(name)

    monkeypatch.setattr(array, "find_volume", meanwhile)
    kept(bench, volume, "its PV was changed just now")
    bench.deletion.run(volume)
    assert bench.names() == [volume["metadata"]["name"]]


@pytest.mark.parametrize(
    "source",
    [
        {"flexVolume": {"driver": "inspur/instorage-flexvolume", "options": {"volumeUid": "UID"}}},
        {"flexVolume": {"driver": "example.com/other", "options": {"lun": "NAME"}}},
        {"fc": {"wwids": ["3UID"]}},
        {"csi": {"driver": "example.com/csi", "volumeHandle": "hall-1/NAME"}},
        {"csi": {"driver": "example.com/csi", "volumeHandle": "hall-1/volumeUID#1"}},
        {"local": {"path": "/dev/disk/by-id/wwn-0xUID"}},
        {"local": {"path": "/dev/disk/by-id/dm-uuid-mpath-3UID-part1"}},
    ],
    ids=[
        "our driver", "another driver, by name", "fibre channel", "name in a handle", "uid in a handle",
        "wwn", "map",
    ],
)  # fmt: skip
def test_a_disk_that_another_pv_is_about_is_never_deleted(bench: Bench, source: dict[str, Any]) -> None:
    volume = bench.released(bench.claim())
    uid = volume["spec"]["flexVolume"]["options"]["volumeUid"]
    text = yaml.safe_dump(source).replace("UID", uid.upper()).replace("NAME", volume["metadata"]["name"])
    body = {"metadata": {"name": "by-hand"}, "spec": yaml.safe_load(text)}
    bench.memory.create(VOLUMES, body)
    kept(bench, volume, "the same disk is that of PV by-hand")


def test_a_volume_that_another_clusters_key_signed_is_not_deleted(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    made_by, bench.key = bench.key, SigningKey.load(bench.directory / "another")
    bench.begin("storage-01", keys=(SigningKey.load(bench.directory / "third").public_line,))
    kept(bench, volume, "signed by a key that is not under host.volumeKey here")
    bench.begin("storage-01", keys=(made_by.public_line,))
    bench.deletion.run(volume)
    assert bench.names() == []


def test_a_copy_that_is_deleted_goes_and_its_volume_stays(bench: Bench) -> None:
    volume = bench.restored(bench.released(bench.claim()))
    volume["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    bench.deletion.run(volume)
    assert volume["metadata"]["finalizers"] == []
    assert bench.names() == [volume["metadata"]["name"]]
    assert "PersistentVolume VolumeKept" in bench.text


def test_a_copy_whose_volume_is_gone_is_told_so(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    bench.deletion.run(volume)
    bench.memory.kept[f"{VOLUMES}/{volume['metadata']['name']}"] = volume
    copy = bench.restored(volume)
    bench.claim(volumeName=volume["metadata"]["name"])
    with pytest.raises(Fault, match="has no such volume any more, its data cannot come back"):
        bench.deletion.run(copy)
    assert "its data cannot come back. Make the claim anew without volumeName" in bench.text


def test_a_pv_that_is_seen_bound_is_no_copy_any_more(bench: Bench) -> None:
    volume = bench.restored(bench.released(bench.claim()))
    volume["status"] = {"phase": "Bound"}
    assert bench.deletion.concerns(volume)
    bench.deletion.run(volume)
    assert volume["metadata"]["annotations"][MARK] == volume["metadata"]["uid"]
    assert not bench.deletion.concerns(volume)
    volume["status"] = {"phase": "Released"}
    bench.deletion.run(volume)
    assert bench.names() == []


def test_nothing_is_deleted_while_the_api_server_does_not_say_who_wants_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())

    def refused(path: str) -> Any:
        raise ConnectionError(path)

    monkeypatch.setattr(bench.memory, "objects", refused)
    with pytest.raises(ConnectionError):
        bench.deletion.run(volume)
    assert bench.names() == [volume["metadata"]["name"]]


def test_a_copy_of_a_pv_is_refused_without_asking_for_every_pv_and_claim(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand of them are restored at once, and each is tried again for ever."""
    volume = bench.restored(bench.released(bench.claim()))
    monkeypatch.setattr(bench.memory, "objects", None)
    kept(bench, volume, "never been bound since it was made")
    claim = bench.claim(volumeName=volume["metadata"]["name"])
    fault = kept(bench, volume, rf"default/data \(UID {claim['metadata']['uid']}\) names this PV")
    assert f"kubectl annotate --overwrite pv {volume['metadata']['name']} {MARK}=" in fault.sentence
    assert [event.about["metadata"]["uid"] for event in bench.said if event.reason == "VolumeIsAnothers"] == [
        claim["metadata"]["uid"]
    ]
