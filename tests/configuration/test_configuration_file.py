"""A configuration that changes under a running service: a broken one leaves the old one in force."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from instorage.configuration import cipher_key, shadow
from instorage.configuration.file import ConfigurationFile
from instorage.wire.fault import Fault
from tests.configuration.conftest import SMALL, written

if TYPE_CHECKING:
    from pathlib import Path


def password(held: ConfigurationFile) -> str:
    return held.current().storage[0].password.reveal()


def test_a_changed_password_is_used_from_the_next_operation_on(file: Path) -> None:
    held = ConfigurationFile(written(file, SMALL))
    first = held.current()
    assert first.storage[0].password.reveal() == "marker-8d1f"
    written(file, SMALL.replace("marker-8d1f", "marker-8d1g"))  # same size, same inode, within one clock tick
    assert password(held) == "marker-8d1g"
    replacement = file.with_name("new")
    replacement.write_text(SMALL.replace("marker-8d1f", "by rename"))
    replacement.rename(file)
    assert password(held) == "by rename"


def test_an_unchanged_file_is_not_read_again(file: Path) -> None:
    written(file, SMALL)
    settled = time.time() - 60
    os.utime(file, (settled, settled))
    held = ConfigurationFile(file)
    assert held.current() is not held.current(), "just touched: the time stamps are too coarse to be sure"
    until = time.monotonic() + 10
    while (found := held.current()) is not held.current() and time.monotonic() < until:
        time.sleep(0.1)
    assert found is held.current()


def test_a_broken_file_leaves_the_old_one_in_force_and_says_so(file: Path) -> None:
    held = ConfigurationFile(written(file, SMALL))
    first = held.current()
    assert held.trouble is None
    for broken in (SMALL.replace("link: fc", "link: usb"), "", "a: [", None):
        file.unlink() if broken is None else written(file, broken)
        assert held.current() == first
        assert held.trouble is not None
        assert str(file) in held.trouble.sentence
    written(file, SMALL)
    assert held.current() == first
    assert held.trouble is None


def test_without_a_good_one_the_fault_is_raised_until_there_is_one(file: Path) -> None:
    held = ConfigurationFile(written(file, ""))
    for _ in range(2):
        with pytest.raises(Fault, match="it is empty"):
            held.current()
    written(file, SMALL)
    assert password(held) == "marker-8d1f"


def test_a_new_key_file_opens_the_shadow_without_a_restart(file: Path, tmp_path: Path) -> None:
    key = tmp_path / "shadow.key"
    key.write_text("right")
    cipher = shadow.encrypt("opened", cipher_key.read_key(key))
    key.write_text("wrong")
    written(file, SMALL.replace("password: marker-8d1f", f"shadow: {cipher}"))
    held = ConfigurationFile(file, key_file=key)
    with pytest.raises(Fault, match="another cipher key"):
        password(held)
    key.write_text("right")
    assert password(held) == "opened"
