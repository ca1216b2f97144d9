"""With host.volumeKey set a volume without a signature is used by its allowed name or by an adopted line."""

from __future__ import annotations

from dataclasses import replace

from instorage.tenancy.grant import SignedGrant
from tests.agent.bench import device_target, options
from tests.agent.tenants import NAME, OTHER, TEAM, Tenants, tenants

__all__ = ["tenants"]


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
