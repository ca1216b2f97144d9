"""The key file of the shadows: made once, whole at any time, for root and the two services."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from instorage.configuration import cipher_key
from instorage.configuration.secret import Secret
from instorage.wire.fault import Fault

ROOT = Path(__file__).parents[2]
GROUPS = """
import sys
from pathlib import Path
from instorage.configuration import cipher_key
cipher_key._GROUPS = tuple(sys.argv[2].split(","))
print(cipher_key.ensure_key(Path(sys.argv[1])).reveal())
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "shadow.key"


def test_a_missing_or_unusable_key_file_is_named(key: Path) -> None:
    key.parent.mkdir()
    for content, said in [(None, "does not exist"), (b"", "is empty"), (b"\xff", "not UTF-8")]:
        if content is not None:
            key.write_bytes(content)
        with pytest.raises(Fault, match=said) as caught:
            cipher_key.read_key(key)
        assert str(key) in caught.value.sentence


def test_a_key_is_put_there_once_and_another_one_only_on_purpose(key: Path) -> None:
    first, second = Secret("first"), Secret("second")
    assert cipher_key.put_key(first, key, replace=False)
    assert cipher_key.put_key(first, key, replace=False), "the same one is there"
    assert not cipher_key.put_key(second, key, replace=False)
    assert cipher_key.read_key(key) == first
    assert cipher_key.put_key(second, key, replace=True)
    assert cipher_key.read_key(key) == second
    assert [path.name for path in key.parent.iterdir()] == ["shadow.key"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o640


def test_what_a_killed_program_left_beside_it_goes_and_what_one_writes_now_stays(key: Path) -> None:
    key.parent.mkdir()
    left, under_way = (key.with_name(f".shadow-key-{name}") for name in ("left", "now"))
    for path in (left, under_way):
        path.write_text("half a k")
    os.utime(left, (1, 1))
    assert cipher_key.put_key(Secret("whole"), key, replace=False)
    assert sorted(path.name for path in key.parent.iterdir()) == [under_way.name, "shadow.key"]


@pytest.mark.root
def test_root_makes_the_key_file_once_and_for_its_group_only(key: Path) -> None:
    made = cipher_key.ensure_key(key)
    assert len(made.reveal()) == 64
    assert stat.S_IMODE(key.stat().st_mode) == 0o640
    assert cipher_key.ensure_key(key) == made
    assert [path.name for path in key.parent.iterdir()] == ["shadow.key"]


@pytest.fixture
def older(key: Path) -> Path:
    """A key as an older package left it: for the agent's group alone."""
    key.parent.mkdir()
    key.write_text("of before\n")
    os.chown(key, 0, 12345)
    key.chmod(0o600)
    return key


@pytest.mark.root
@pytest.mark.subprocess
def test_roots_next_command_opens_an_older_packages_key_to_both_services(older: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", GROUPS, str(older), "none-such,nogroup"],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout == "of before\n"
    facts = older.stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid) == (0o640, 0, 65534)
