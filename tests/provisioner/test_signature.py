"""The signature of a volume: valid for one volume of one array in one namespace, by a listed key."""

from __future__ import annotations

import base64
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.tenancy.grant import Grant
from instorage.tenancy.signature import SigningKey, verified
from instorage.wire.fault import Fault

if TYPE_CHECKING:
    from pathlib import Path

GRANT = Grant("pvc-1", "60050760008989c0d00000000002c485", "storage-01", "team-a")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.load(tmp_path / "state" / "volume.key")


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "volume.key"
    first = SigningKey.load(path).public_line
    assert SigningKey.load(path).public_line == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_signature_holds_under_any_listed_key(key: SigningKey, tmp_path: Path) -> None:
    other = SigningKey.load(tmp_path / "other.key")
    assert verified([other.public_line, key.public_line], GRANT, key.sign(GRANT))
    assert not verified([other.public_line], GRANT, key.sign(GRANT))
    assert not verified([], GRANT, key.sign(GRANT))


@pytest.mark.parametrize("field", ["volume", "uid", "storage_name", "namespace"])
def test_a_signature_is_of_no_use_for_anything_else(key: SigningKey, field: str) -> None:
    changed = replace(GRANT, **{field: "other"})
    assert not verified([key.public_line], changed, key.sign(GRANT))


def test_text_cannot_be_moved_from_one_field_to_the_next(key: SigningKey) -> None:
    signature = key.sign(Grant("a", "b", "c", "d"))
    for forged in (Grant('a","b', "c", "d", ""), Grant("ab", "", "c", "d"), Grant("a", "b,c", "", "d")):
        assert not verified([key.public_line], forged, signature)


@pytest.mark.parametrize("signature", ["", "x", "é", base64.b64encode(b"short").decode(), "A" * 88])
def test_what_is_no_signature_is_refused(key: SigningKey, signature: str) -> None:
    assert not verified([key.public_line], GRANT, signature)


@pytest.mark.parametrize("line", ["", "ed25519:", "ed25519:AAAA", "not a line", "é"])
def test_a_broken_line_verifies_nothing_and_hides_no_good_one(key: SigningKey, line: str) -> None:
    assert not verified([line], GRANT, key.sign(GRANT))
    assert verified([line, key.public_line], GRANT, key.sign(GRANT))


def test_a_broken_key_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "volume.key"
    path.write_text("nonsense")
    with pytest.raises(Fault, match=str(path)):
        SigningKey.load(path)
