"""A volume is saved by whoever saves it before the array was told, however long the array took until then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.fault import Code, Fault
from provisioner import last_look
from provisioner.cluster import VOLUMES, Away

if TYPE_CHECKING:
    from collections.abc import Callable

    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench


def name_of(volume: Object) -> str:
    return str(volume["metadata"]["name"])


def meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch, done: Callable[[], object]) -> None:
    """Have something done when the array is to delete: after the decision, before its own looks."""
    array = bench.client.get(None)
    delete = array.delete_volume

    def slow(*words: Any) -> bool:
        done()
        return delete(*words)

    monkeypatch.setattr(array, "delete_volume", slow)


def at_look(bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, done: Callable[[], object]) -> None:
    """Have something done just before the API server is asked for a PV for the so manieth time."""
    get, looks = bench.memory.get, []

    def asked(path: str) -> Object | None:
        if path.startswith(VOLUMES):
            looks.append(path)
            if len(looks) == number:
                done()
        return get(path)

    monkeypatch.setattr(bench.memory, "get", asked)


def retained(bench: Bench, volume: Object) -> None:
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain"


def bound_again(bench: Bench, volume: Object) -> None:
    claim = bench.claim("anew")["metadata"]
    volume["spec"]["claimRef"] = {key: claim[key] for key in ("namespace", "name", "uid")}


def freed(bench: Bench, volume: Object) -> None:
    volume["spec"]["claimRef"] = None


@pytest.mark.parametrize("save", [retained, bound_again, freed])
def test_a_volume_that_is_saved_while_the_array_takes_its_time_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, save: Callable[[Bench, Object], None]
) -> None:
    volume = bench.released(bench.claim())
    meanwhile(bench, monkeypatch, lambda: save(bench, volume))
    with pytest.raises(Fault, match="is not deleted: its PV was changed just now") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.NOT_OURS
    assert bench.names() == [name_of(volume)]


def test_a_volume_that_is_saved_after_an_answer_was_lost_is_not_deleted_by_the_second_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())
    bench.fault(command="rmvdisk", before="connection")  # it is not carried out, which nobody knows
    at_look(bench, monkeypatch, 3, lambda: retained(bench, volume))
    with pytest.raises(Fault, match="may have been deleted on the array, whose answer was lost") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert bench.names() == [name_of(volume)]


def test_after_a_lost_answer_it_is_deleted_when_nobody_wants_it(bench: Bench) -> None:
    volume = bench.released(bench.claim())
    bench.fault(command="rmvdisk", before="connection")
    bench.deletion.run(volume)
    assert bench.names() == []
    assert "is deleted" in bench.text


def test_a_claim_that_comes_back_while_the_array_takes_its_time_keeps_its_volume(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())
    monkeypatch.setattr(last_look, "SOON", 0.0)
    meanwhile(bench, monkeypatch, lambda: bench.claim("restored", volumeName=name_of(volume)))
    with pytest.raises(Fault, match=r"claim default/restored .* names this PV"):
        bench.deletion.run(volume)
    assert bench.names() == [name_of(volume)]


def test_a_claim_that_comes_back_after_an_answer_was_lost_keeps_what_is_left(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())
    bench.fault(command="rmvdisk", before="connection")
    at_look(bench, monkeypatch, 2, lambda: bench.claim("restored", volumeName=name_of(volume)))
    with pytest.raises(Fault, match=r"may have been deleted .* claim default/restored") as caught:
        bench.deletion.run(volume)
    assert caught.value.code is Code.OUTCOME_UNKNOWN
    assert bench.names() == [name_of(volume)]


def test_nothing_is_deleted_when_the_api_server_does_not_answer_at_the_last_moment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = bench.released(bench.claim())

    def silent() -> None:
        raise Away("no answer")

    at_look(bench, monkeypatch, 2, silent)
    with pytest.raises(Away):
        bench.deletion.run(volume)
    assert bench.names() == [name_of(volume)]


def given_a_pv(bench: Bench, claim: Object) -> None:
    bench.memory.create(VOLUMES, {"metadata": {"name": f"pvc-{claim['metadata']['uid']}"}, "spec": {}})


def led_by_another(bench: Bench, claim: Object) -> None:
    bench.creation.outlive()


def restored(bench: Bench, claim: Object) -> None:
    path = "/api/v1/namespaces/default/persistentvolumeclaims/data"
    bench.memory.kept[path] = claim


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (given_a_pv, "it has a PV now"),
        (led_by_another, "another provisioner may have led"),
        (restored, "its claim is there"),
    ],
)
def test_a_volume_that_somebody_got_meanwhile_is_not_taken_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, change: Callable[[Bench, Object], None], why: str
) -> None:
    claim = bench.claim()
    asked = bench.wanted(claim)
    bench.drop(claim)
    meanwhile(bench, monkeypatch, lambda: change(bench, claim))
    with pytest.raises(Fault, match=f"is not deleted: {why}") as caught:
        bench.creation.run(asked)
    assert caught.value.code is Code.NOT_OURS
    assert bench.names() == [f"pvc-{claim['metadata']['uid']}"]


def test_a_volume_that_a_claim_names_meanwhile_is_not_taken_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bench.claim()
    asked, name = bench.wanted(claim), f"pvc-{claim['metadata']['uid']}"
    bench.drop(claim)
    monkeypatch.setattr(last_look, "SOON", 0.0)
    meanwhile(bench, monkeypatch, lambda: bench.claim("restored", volumeName=name))
    with pytest.raises(Fault, match="it is wanted by claim default/restored"):
        bench.creation.run(asked)
    assert bench.names() == [name]


def about_it_by_hand(bench: Bench, claim: Object) -> None:
    source = {"fc": {"wwids": [f"pvc-{claim['metadata']['uid']}"]}}
    bench.memory.create(VOLUMES, {"metadata": {"name": "by-hand"}, "spec": source})


@pytest.mark.parametrize(
    ("change", "soon", "why"),
    [
        (about_it_by_hand, 0.0, "it is wanted by PV by-hand"),
        (led_by_another, last_look.SOON, "another one may have led since"),
    ],
)
def test_a_second_volume_of_a_claim_that_is_saved_meanwhile_stays(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Bench, Object], None],
    soon: float,
    why: str,
) -> None:
    claim = bench.claim()
    name, uid = f"pvc-{claim['metadata']['uid']}", claim["metadata"]["uid"]
    options = {"storageName": "storage-02", "volumeUid": f"6{'0' * 31}"}
    spec = {"claimRef": {"uid": uid}, "flexVolume": {"options": options}}
    bench.memory.create(VOLUMES, {"metadata": {"name": name}, "spec": spec})
    monkeypatch.setattr(last_look, "SOON", soon)
    meanwhile(bench, monkeypatch, lambda: change(bench, claim))
    with pytest.raises(Fault, match=why):
        bench.creation.run(bench.wanted(claim))
    assert bench.names() == [name]
