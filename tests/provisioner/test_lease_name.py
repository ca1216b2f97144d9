"""Each provisioner has a Lease of its own, under the name that it always had where that is no other's."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provisioner.lease_name import lease_name

DNS = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
WORD = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", fullmatch=True)
NAMES = WORD | st.builds("inspur.com/{}".format, WORD)
LIKE = st.text("ab-./", min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("provisioner", "name"),
    [
        ("inspur/instorage", "inspur-instorage"),
        ("inspur/instorage-7", "inspur-instorage-7"),
        ("my-company.com/fast-storage", "my-company.com-fast-storage"),
        ("storage.my-company.com/fast", "storage.my-company.com-fast"),
        ("example.com/a.b", "example.com-a.b"),
        ("instorage", "instorage"),
    ],
)
def test_a_usual_name_keeps_the_lease_that_it_always_had(provisioner: str, name: str) -> None:
    assert lease_name(provisioner) == name


@pytest.mark.parametrize(
    "others",
    [
        ("a/b", "a-b"),
        ("inspur/in-storage", "inspur-in/storage", "inspur-in-storage"),
        ("a-b.c/d", "a/b.c-d", "a-b.c-d"),
        ("a.b-c.d", "a.b/c.d"),
    ],
)
def test_names_that_differ_in_the_place_of_the_slash_alone_have_leases_of_their_own(
    others: tuple[str, ...],
) -> None:
    found = [lease_name(provisioner) for provisioner in others]
    assert len(set(found)) == len(found)
    assert len([name for name in found if name == others[0].replace("/", "-")]) == 1, (
        "one keeps the plain one"
    )


@given(LIKE, LIKE)
@example("a/b", "a-b")
def test_two_provisioners_never_share_a_lease(one: str, other: str) -> None:
    assert one == other or lease_name(one) != lease_name(other)


@given(LIKE, st.data())
def test_nor_do_two_that_differ_in_slashes_alone(one: str, data: st.DataObject) -> None:
    other = "".join(data.draw(st.sampled_from("-/")) if letter in "-/" else letter for letter in one)
    assert one == other or lease_name(one) != lease_name(other)


@pytest.mark.parametrize(
    ("provisioner", "name"),
    [
        ("Inspur/in_storage", "inspur-in-storage-"),
        ("inspur/a.-b", "inspur-a-b-"),
        ("A", "a-"),
        (f"{'a' * 60}.{'b' * 190}/{'c' * 63}", "a" * 60),
    ],
)
def test_what_is_no_name_for_an_object_is_made_to_fit(provisioner: str, name: str) -> None:
    found = lease_name(provisioner)
    assert found.startswith(name)
    assert DNS.fullmatch(found)
    assert len(found) <= 253


@given(NAMES)
def test_names_that_a_storage_class_takes_are_names_of_leases(provisioner: str) -> None:
    assert DNS.fullmatch(lease_name(provisioner))
