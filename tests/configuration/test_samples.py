"""The samples of the vendor's manual and our own: each loads as printed, or says what it lacks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from instorage.configuration import cipher_key, sample, shadow
from instorage.configuration.secret import Secret
from instorage.configuration.settings import Level, Link, Patience, load
from instorage.wire.fault import Code, Fault
from tests.configuration.conftest import SMALL, written

HERE = Path(__file__).parent


def test_the_manuals_first_sample_loads_as_printed(file: Path) -> None:
    found = load(written(file, (HERE / "manual-3.3.yaml").read_text()))
    assert found.log.enabled
    assert (found.log.directory, found.log.level, found.log.rotate_at) == (
        Path("/var/log/inspurlog"),
        Level.DEBUG,
        0,
    )
    assert found.host is not None
    assert (found.host.link, found.host.force_multipath) == (Link.ISCSI, False)
    assert found.host.scsi_scan == found.host.iscsi_path == found.host.multipath_search == Patience(3, 1)
    assert found.host.resize_delay == 1
    assert found.host.lock_path == file, "the placeholder counts as absent"
    (array,) = found.storage
    assert (array.name, array.address, array.port, array.username) == (
        "storage-01",
        "10.0.0.1",
        22,
        "username",
    )
    assert array.password.reveal() == "password", "password wins over shadow"
    assert array.barrier_directory == file.parent.parent
    said = "\n".join(found.warnings)
    assert "attachExtendFileLockPath is still the sample's placeholder" in said
    assert "as in the manual's print" in said
    assert "shadow and barrierPath taken as keys of the last array" in said


def test_a_shadow_beside_a_password_is_said_to_count_for_nothing(file: Path) -> None:
    found = load(written(file, SMALL.replace("password: marker-8d1f", "password: marker-8d1f\n  shadow: ab")))
    assert any(
        "storage[0].shadow is not used, for password stands beside it: remove the line password." in warning
        for warning in found.warnings
    )
    assert found.storage[0].password.reveal() == "marker-8d1f"


def test_the_manuals_second_sample_loads_as_printed_and_says_that_its_cipher_key_is_not_here(
    file: Path, tmp_path: Path
) -> None:
    key = tmp_path / "shadow.key"
    key.write_text("cipher key\n")
    found = load(written(file, (HERE / "manual-4.4.yaml").read_text()), key_file=key)
    assert (found.log.enabled, found.log.level) == (False, Level.INFO)
    assert found.log.directory == file.parent.parent / "log"
    assert any("storage[0].type is missing and taken as AS18000" in warning for warning in found.warnings)
    said = r"storage\[0\].shadow cannot be used: it was made with another cipher key"
    assert any(re.search(said, warning) for warning in found.warnings)
    with pytest.raises(Fault, match=said):
        found.storage[0].password.reveal()


def test_a_shadow_without_a_key_file_is_said_at_once_and_again_when_the_password_is_needed(
    file: Path,
) -> None:
    found = load(
        written(file, SMALL.replace("password: marker-8d1f", "shadow: zz")), key_file=Path("/nowhere")
    )
    assert any("key file /nowhere does not exist" in warning for warning in found.warnings)
    with pytest.raises(Fault, match="ext-encrypt-password"):
        found.storage[0].password.reveal()


def test_the_manuals_second_sample_opens_where_its_cipher_key_is(file: Path, tmp_path: Path) -> None:
    text = (HERE / "manual-4.4.yaml").read_text()
    key = tmp_path / "shadow.key"
    key.write_text("cipher key\n")
    printed = text.splitlines()[-1]
    ours = shadow.encrypt("password", cipher_key.read_key(key))
    assert len(ours) == len(printed)
    found = load(written(file, text.replace(printed, ours)), key_file=key)
    assert found.storage[0].password == Secret("password")


def test_the_sample_that_we_print_is_accepted_without_a_warning(file: Path) -> None:
    assert load(written(file, sample.SAMPLE_18000)).warnings == ()


def test_an_as13000_is_refused_by_name(file: Path) -> None:
    for kind in ("AS13000", "as13000"):
        with pytest.raises(Fault) as caught:
            load(written(file, sample.SAMPLE_13000.replace("AS13000", kind)))
        assert caught.value.code == Code.NOT_SUPPORTED
        assert "storage-01 has type AS13000" in caught.value.sentence
