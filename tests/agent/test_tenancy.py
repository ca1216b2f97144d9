"""With host.volumeKey set a volume is used only by whom its signature names, in whatever call."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.tenancy.adopted import adopted_line
from instorage.tenancy.grant import Grant, SignedGrant
from instorage.tenancy.signature import SigningKey
from tests.agent.bench import NODE, POD, Bench, device_target, options, pod_target, until
from tests.agent.test_lifecycle import VOLUME, recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = VOLUME  # of the recorded calls
TEAM, OTHER = "team-a", "team-b"
SECOND = "531a7251-1df7-43a7-b81a-9e1d775a898e"


class Tenants:
    """A node whose configuration lists a provisioner's line, and that provisioner's key."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.key = SigningKey.load(bench.directory / "volume.key")
        self.require(self.key)

    def require(self, *keys: SigningKey, more: str = "") -> None:
        lines = "".join(f"  - {key.public_line}\n" for key in keys)
        self.bench.configure(host=(f"  volumeKey:\n{lines}" if lines else "") + more)

    def adopt(self, *signed: SignedGrant) -> None:
        self.bench.paths.adopted.write_text("# adopted\n\n" + "".join(adopted_line(s) + "\n" for s in signed))

    def signed(self, grant: Grant) -> SignedGrant:
        return SignedGrant(grant, self.key.sign(grant))

    def grant(self, name: str = NAME, **other: str) -> Grant:
        """Make the volume if it is not there; what the provisioner would sign of it, but for `other`."""
        return replace(Grant(name, self.bench.create(name), "storage-01", TEAM), **other)

    def options(self, signed: SignedGrant | None, name: str = NAME, pod: str = "", **more: str) -> str:
        """The options of a call, for a pod of namespace `pod` in mount."""
        if signed is not None:
            grant = signed.grant
            more = {
                "volumeUid": grant.uid,
                "storageName": grant.storage_name,
                "claimNamespace": grant.namespace,
                "signature": signed.signature,
            } | more
        return options(name, **more, **({"kubernetes.io/pod.namespace": pod} if pod else {}))

    def refused(self, text: str, said: str, name: str = NAME, *, but: str = "") -> None:
        """Each call but `but` is refused with that text, and nothing is mapped."""
        for argv in calls(name, text):
            if argv[0] == but:
                continue
            message = self.bench.call(*argv).failure(said)
            assert name in message
        assert self.bench.maps(name) == []
        assert not {"Attach", "Mount", "Bind"} & set(self.bench.helper.verbs())

    def mounted(self, text: str, name: str = NAME) -> None:
        """Attach and mount the device, as for a first pod."""
        for argv in calls(name, text)[:2]:
            self.bench.call(*argv).success()

    def mount(self, text: str, pod: str = POD) -> tuple[str, ...]:
        return ("mount", pod_target(json.loads(text)["kubernetes.io/pvOrVolumeName"], pod), text)


def calls(name: str, text: str) -> list[tuple[str, ...]]:
    return [
        ("waitforattach", NODE, text),
        ("mountdevice", device_target(name), "/dev/ignored", text),
        ("mount", pod_target(name), text),
    ]


@pytest.fixture
def tenants(bench: Bench) -> Tenants:
    return Tenants(bench)


@pytest.fixture
def unattached(directory: Path, portal: Callable[[], str]) -> Iterator[Tenants]:
    """A node with attach:false, where `mount` does everything."""
    bench = Bench(directory, {1: portal(), 2: portal()})
    (bench.paths.plugin / ".attach").write_text("false\n")
    bench.start()
    yield Tenants(bench)
    bench.close()


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


def test_a_volume_used_directly_goes_on_without_a_signature(tenants: Tenants) -> None:
    tenants.bench.create("vol1")
    text = options("vol1", **{"kubernetes.io/pod.namespace": OTHER})
    tenants.mounted(options("vol1"), "vol1")
    tenants.bench.call(*tenants.mount(text)).success()


def test_direct_names_can_be_limited_by_a_pattern(tenants: Tenants) -> None:
    for name in ("db-1", "vdisk3"):
        tenants.bench.create(name)
    for keys in ((tenants.key,), ()):
        tenants.require(*keys, more="  directNames: ['db-*', web]\n")
        tenants.refused(options("vdisk3"), "host.directNames", "vdisk3")
        tenants.bench.attach("db-1").success()
        tenants.bench.helper.calls.clear()
    tenants.require(tenants.key, more="  directNames: []\n")
    tenants.bench.call("unmountdevice", device_target("db-1")).success()
    tenants.refused(options("db-1"), "host.directNames", "db-1")


def test_a_signed_volume_needs_no_allowed_name(tenants: Tenants) -> None:
    tenants.require(tenants.key, more="  directNames: ['db-*']\n")
    signed = tenants.signed(tenants.grant("vdisk3"))
    tenants.mounted(tenants.options(signed, "vdisk3"), "vdisk3")


def test_an_adopted_pv_is_used_in_its_namespace_alone(tenants: Tenants) -> None:
    tenants.adopt(tenants.signed(tenants.grant()))
    tenants.mounted(tenants.options(None))
    tenants.bench.call(*tenants.mount(tenants.options(None, pod=OTHER))).failure(
        "is not signed for namespace"
    )
    tenants.bench.call(*tenants.mount(tenants.options(None, pod=TEAM))).success()


def test_a_line_is_taken_as_soon_as_it_is_there_and_no_longer(tenants: Tenants) -> None:
    signed = tenants.signed(tenants.grant())
    tenants.bench.attach(NAME).failure("has no signature")
    tenants.adopt(signed)
    tenants.bench.attach(NAME).success()
    tenants.adopt()
    tenants.bench.attach(NAME).failure("has no signature")


def test_of_several_lines_the_one_that_fits_is_taken(tenants: Tenants) -> None:
    true = tenants.grant()
    tenants.adopt(
        tenants.signed(replace(true, uid="6" + "0" * 31)),
        tenants.signed(replace(true, storage_name="storage-02")),
        SignedGrant(true, "A" * 88),
        tenants.signed(true),
        tenants.signed(replace(true, namespace=OTHER, uid="6" + "0" * 31)),
    )
    tenants.mounted(tenants.options(None))
    tenants.bench.call(*tenants.mount(tenants.options(None, pod=OTHER))).failure(
        "another volume of that name"
    )
    tenants.bench.call(*tenants.mount(tenants.options(None, pod=TEAM))).success()


def test_an_adopted_line_does_not_stand_in_for_a_signature_that_is_wrong(tenants: Tenants) -> None:
    true = tenants.grant()
    tenants.adopt(tenants.signed(true))
    tenants.refused(tenants.options(SignedGrant(true, "A" * 88), pod=TEAM), "in its options")


def test_an_adopted_line_that_no_listed_key_made_is_named_with_its_file(tenants: Tenants) -> None:
    tenants.adopt(SignedGrant(tenants.grant(), "A" * 88))
    tenants.refused(tenants.options(None, pod=TEAM), str(tenants.bench.paths.adopted))


def test_a_volume_of_any_name_is_protected_once_it_is_adopted(tenants: Tenants) -> None:
    tenants.adopt(tenants.signed(tenants.grant("old-db")))
    tenants.mounted(tenants.options(None, "old-db"), "old-db")
    stolen = tenants.options(None, "old-db", pod=OTHER)
    tenants.bench.call(*tenants.mount(stolen)).failure("is not signed for namespace")


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
    unattached.bench.call(*stolen).failure("is signed for array storage-02")
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
