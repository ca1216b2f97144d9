"""With host.volumeKey set a volume is used only by whom its signature names, in whatever call."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from instorage.tenancy.grant import Grant, SignedGrant
from instorage.tenancy.signature import SigningKey
from tests.agent.bench import NODE, Bench, device_target, pod_target, until
from tests.agent.tenants import NAME, OTHER, SECOND, TEAM, Tenants, tenants, unattached
from tests.agent.test_lifecycle import recorded

__all__ = ["tenants", "unattached"]


def test_a_signed_volume_is_used_by_a_pod_of_its_namespace(tenants: Tenants) -> None:
    signed = tenants.signed(tenants.grant())
    tenants.mounted(tenants.options(signed))
    tenants.bench.reset()
    tenants.bench.call(*tenants.mount(tenants.options(signed, pod=TEAM))).success()
    assert tenants.bench.commands() == [], "a mount asks the array for nothing"


def test_a_name_of_a_claim_without_a_signature_is_refused_whoever_asks(tenants: Tenants) -> None:
    tenants.grant()
    tenants.refused(tenants.options(None, pod=TEAM), "has no signature")
    assert "instoragectl adopt" in tenants.bench.attach(NAME).message
    empty = tenants.options(None, signature="", claimNamespace=TEAM, pod=TEAM)
    tenants.refused(empty, "has no signature")


def test_every_call_of_kubelet_that_has_options_is_refused_without_a_signature(tenants: Tenants) -> None:
    tenants.grant()
    tried = set()
    for argv in recorded():
        if any(argument.startswith("{") for argument in argv):
            assert tenants.bench.call(*argv).answer["status"] != "Success", argv
            tried.add(argv[0])
    assert tried >= {"waitforattach", "mountdevice", "mount", "expandfs"}


def test_a_refusal_has_its_own_code_in_the_journal(
    tenants: Tenants, caplog: pytest.LogCaptureFixture
) -> None:
    tenants.grant()
    tenants.bench.attach(NAME).failure("has no signature")
    assert "not-signed" in [record.__dict__.get("code") for record in caplog.records]


@pytest.mark.parametrize("field", ["uid", "storage_name", "namespace"])
def test_what_the_signature_does_not_say_is_refused(tenants: Tenants, field: str) -> None:
    true = tenants.grant()
    signed = tenants.signed(true)
    value = {"uid": "6" + "0" * 31, "storage_name": "storage-02", "namespace": OTHER}[field]
    forged = SignedGrant(replace(true, **{field: value}), signed.signature)
    tenants.refused(tenants.options(forged, pod=forged.grant.namespace), "made for something else")


def test_a_signature_of_another_volume_is_refused(tenants: Tenants) -> None:
    mine = tenants.signed(tenants.grant("pvc-mine"))
    tenants.grant()
    tenants.refused(tenants.options(mine, pod=TEAM), "made for something else")


def test_a_signature_by_a_key_that_is_not_listed_is_refused(tenants: Tenants) -> None:
    grant = tenants.grant()
    stranger = SigningKey.load(tenants.bench.directory / "stranger.key")
    text = tenants.options(SignedGrant(grant, stranger.sign(grant)), pod=TEAM)
    tenants.refused(text, "host.volumeKey")
    tenants.require(tenants.key, stranger)
    tenants.mounted(text)


def test_a_copied_signature_is_of_no_use_in_another_namespace(tenants: Tenants) -> None:
    """kubelet leaves waitforattach and mountdevice out for a volume that the node has: mount must refuse."""
    signed = tenants.signed(tenants.grant())
    tenants.mounted(tenants.options(signed))
    tenants.bench.call(*tenants.mount(tenants.options(signed, pod=TEAM))).success()
    stolen = tenants.mount(tenants.options(signed, pod=OTHER), SECOND)
    tenants.bench.call(*stolen).failure(f"is not signed for namespace {OTHER}")
    assert pod_target(NAME, SECOND) not in tenants.bench.helper.mounts


def test_a_mount_that_names_no_namespace_is_refused(tenants: Tenants) -> None:
    signed = tenants.signed(tenants.grant())
    tenants.mounted(tenants.options(signed))
    tenants.bench.call(*tenants.mount(tenants.options(signed))).failure(
        "is not signed for a pod of no namesp"
    )


def test_a_volume_made_anew_under_the_name_is_not_the_signed_one(tenants: Tenants) -> None:
    signed = tenants.signed(tenants.grant(uid="6" + "0" * 31))
    tenants.refused(tenants.options(signed, pod=TEAM), "its signature is for UID 6000", but="mountdevice")


def test_a_mount_compares_the_uid_of_what_is_mounted(tenants: Tenants) -> None:
    """The grant is true for a volume of that name that was; another one is mounted."""
    tenants.mounted(tenants.options(tenants.signed(tenants.grant())))
    old = tenants.signed(Grant(NAME, "6" + "0" * 31, "storage-01", OTHER))
    tenants.bench.call(*tenants.mount(tenants.options(old, pod=OTHER))).failure("another volume of that name")


def test_mountdevice_compares_the_uid_although_the_attach_was_another_pods(tenants: Tenants) -> None:
    tenants.bench.attach(NAME, tenants.options(tenants.signed(tenants.grant()))).success()
    old = tenants.signed(Grant(NAME, "6" + "0" * 31, "storage-01", OTHER))
    tenants.bench.mount_device(NAME, tenants.options(old)).failure("another volume of that name")
    assert "Mount" not in tenants.bench.helper.verbs()


def test_a_signature_for_another_array_is_refused_here(tenants: Tenants) -> None:
    """The options name one array and the signature another one: an adopted line can."""
    tenants.adopt(tenants.signed(tenants.grant(storage_name="storage-02")))
    text = tenants.options(None, pod=TEAM)
    tenants.refused(text, "is signed for array storage-02, not for storage-01", but="mountdevice")


def test_a_call_with_another_signature_does_not_join_the_one_that_runs(tenants: Tenants) -> None:
    signed = tenants.signed(tenants.grant())
    tenants.bench.do("fault", command="mkvdiskhostmap", delay=0.5)
    running = tenants.bench.begin("waitforattach", NODE, tenants.options(signed))
    forged = tenants.options(SignedGrant(signed.grant, "A" * 88))
    tenants.bench.begin("waitforattach", NODE, forged).reply().failure("made for something else")
    running.reply().success()


def test_with_attach_false_the_one_call_is_checked(unattached: Tenants) -> None:
    signed = unattached.signed(unattached.grant())
    for text, said in (
        (unattached.options(None, pod=TEAM), "has no signature"),
        (unattached.options(signed, pod=OTHER), "is not signed for namespace"),
        (unattached.options(unattached.signed(replace(signed.grant, uid="6" + "0" * 31)), pod=TEAM), "UID"),
    ):
        unattached.bench.call(*unattached.mount(text)).failure(said)
        assert unattached.bench.maps(NAME) == []
    unattached.bench.call(*unattached.mount(unattached.options(signed, pod=TEAM))).success()


def test_with_attach_false_a_device_mount_of_another_array_is_not_bound(unattached: Tenants) -> None:
    """Two arrays may have a volume of the name: the grant for one opens not the other's device mount."""
    first = unattached.signed(unattached.grant())
    unattached.bench.call(*unattached.mount(unattached.options(first, pod=TEAM))).success()
    second = unattached.signed(replace(first.grant, storage_name="storage-02", namespace=OTHER))
    stolen = unattached.mount(unattached.options(second, pod=OTHER), SECOND)
    unattached.bench.call(*stolen).failure("storage-02")
    assert pod_target(NAME, SECOND) not in unattached.bench.helper.mounts


def test_with_attach_false_a_grant_of_another_namespace_does_not_vouch(unattached: Tenants) -> None:
    """The line of the pod's namespace is for a volume that was; the true one is another namespace's."""
    true = unattached.grant()
    old = replace(true, uid="6" + "0" * 31, namespace=OTHER)
    unattached.adopt(unattached.signed(true), unattached.signed(old))
    unattached.bench.call(*unattached.mount(unattached.options(None, pod=OTHER))).failure("UID")


def test_taking_down_needs_no_signature(tenants: Tenants) -> None:
    signed = tenants.signed(tenants.grant())
    tenants.mounted(tenants.options(signed))
    tenants.bench.call(*tenants.mount(tenants.options(signed, pod=TEAM))).success()
    tenants.require(SigningKey.load(tenants.bench.directory / "stranger.key"))
    tenants.bench.call("unmount", pod_target(NAME)).success()
    tenants.bench.call("unmountdevice", device_target(NAME)).success()
    tenants.bench.call("detach", NAME, NODE).success()
    assert tenants.bench.maps(NAME) == []


def test_without_a_key_everything_goes_on_and_the_journal_says_what_that_means(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nodeagent")
    bench.create(NAME)
    bench.attach(NAME).success()
    bench.restart(caplog.clear)
    said = "any author of a pod can reach any volume"
    until(lambda: said in caplog.text)
    bench.attach(NAME).success()
    assert [record.levelname for record in caplog.records if said in record.getMessage()] == ["WARNING"]
    caplog.clear()
    Tenants(bench)
    bench.attach(NAME).failure("has no signature")
    assert said not in caplog.text
    assert "need a signature of one of 1 keys" in caplog.text
