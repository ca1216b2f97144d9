"""The configuration file: each key, its default, and what is warned about."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

from instorage.configuration.settings import Fence, Patience, load
from tests.configuration.conftest import SMALL, refusal, written

if TYPE_CHECKING:
    from pathlib import Path

LINE, OTHER_LINE = (f"ed25519:{letter * 43}=" for letter in "AE")


def test_defaults_are_the_manuals(file: Path) -> None:
    found = load(written(file, SMALL))
    assert found.warnings == ()
    assert not found.log.enabled
    assert found.host is not None
    assert found.host.scsi_scan == Patience(3, 1)
    assert found.host.scsi_scan.total == 3
    assert (found.host.fence, found.host.logout, found.host.objects) == (Fence.NODE_LOST, False, {})
    assert found.host.node_name == os.uname().nodename
    assert found.host.lock_path == file
    assert found.plugin_directory == file.parent.parent


def test_the_new_keys_are_taken(file: Path) -> None:
    host = """\
host:
  link: iscsi
  nodeName: node-1.example
  namePrefix: east-
  objects: {node-1: old name, node-2: other}
  fence: always
  volumeKey: [LINE, OTHER]
  directNames: [db-*, web]
  logout: true
  scsiScanRetryTimes: 10
  scsiScanWaitInterval: 0.5
""".replace("LINE", LINE).replace("OTHER", OTHER_LINE)
    found = load(written(file, SMALL.replace("host:\n  link: fc\n", host)))
    assert found.host is not None
    assert (found.host.node_name, found.host.name_prefix) == ("node-1.example", "east-")
    assert found.host.objects == {"node-1": "old name", "node-2": "other"}
    assert (found.host.fence, found.host.logout) == (Fence.ALWAYS, True)
    assert found.host.scsi_scan.total == 5
    assert found.volume_keys == (LINE, OTHER_LINE)
    assert found.host.direct_names == ("db-*", "web")


def test_the_provisioner_asks_for_storage_alone(file: Path) -> None:
    text = SMALL.replace("host:\n  link: fc\n", "")
    found = load(written(file, text), need_host=False)
    assert found.host is None
    assert found.storage[0].name == "a"
    found = load(written(file, SMALL.replace("link: fc", f"volumeKey: {LINE}\n  bogus: 1")), need_host=False)
    assert (found.host, found.volume_keys) == (None, (LINE,))
    assert "host is missing" in refusal(file, text)


def test_an_array_is_found_by_name_and_the_first_is_the_default(file: Path) -> None:
    second = SMALL[SMALL.index("- name") :].replace("name: a", "name: b").replace("10.0.0.1", "10.0.0.2")
    found = load(written(file, SMALL + second))
    assert [found.array(), found.array(""), found.array("a")] == [found.storage[0]] * 3
    assert found.array("b") == found.storage[1]
    assert found.array("c") is None


@pytest.mark.parametrize(
    ("written_as", "address", "port"),
    [
        ("10.0.0.1:22", "10.0.0.1", 22),
        ("'10.0.0.1:2222'", "10.0.0.1", 2222),
        ("'[FD00::1]:22'", "fd00::1", 22),
        ("[fd00::1]:22", None, 0),  # YAML takes the bracket for a list: said below
        ("Array-1.example.com:22", "array-1.example.com", 22),
    ],
)
def test_an_address_is_ip_and_port(file: Path, written_as: str, address: str | None, port: int) -> None:
    text = SMALL.replace("10.0.0.1:22", written_as)
    if address is None:
        assert "line 6" in refusal(file, text)
    else:
        (array,) = load(written(file, text)).storage
        assert (array.address, array.port) == (address, port)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("debug", "debug"),
        ("Warning", "warning"),
        ("0", "info"),
        ("1", "warning"),
        ("2", "error"),
        ("", "info"),
    ],
)
def test_a_level_is_a_word_or_glogs_severity(file: Path, value: str, level: str) -> None:
    assert load(written(file, f"log:\n  level: {value}\n" + SMALL)).log.level == level


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("0", 0),
        ("1048576", 1 << 20),
        ("10K", 10240),
        ("5m", 5 << 20),
        ("2G", 2 << 30),
        ("2 GiB", 2 << 30),
        ("1MB", 1 << 20),
    ],
)
def test_sizes_take_k_m_and_g(file: Path, value: str, size: int) -> None:
    assert load(written(file, f"log:\n  logrotatemaxsize: {value}\n" + SMALL)).log.rotate_at == size


def test_a_password_is_taken_as_it_is_written(file: Path) -> None:
    for text, wanted in [
        ("0123", "0123"),
        ("yes", "yes"),
        ("1e3", "1e3"),
        ("2020-01-01", "2020-01-01"),
        ("a#b", "a#b"),
    ]:
        found = load(written(file, SMALL.replace("marker-8d1f", text)))
        assert found.storage[0].password.reveal() == wanted


def test_a_clear_text_password_for_everybody_to_read_is_warned_about(file: Path) -> None:
    written(file, SMALL).chmod(0o644)
    (warning,) = load(file).warnings
    assert "every user of this machine can read the clear-text password" in warning
    assert "0640" in warning
    file.chmod(0o640)
    assert load(file).warnings == ()


def test_log_files_in_the_plugin_directory_are_warned_about(file: Path) -> None:
    for directory, warned in [("log", 1), ("/var/log/x", 0)]:
        text = f"log:\n  enabled: true\n  logdir: {directory}\n{SMALL}"
        assert len(load(written(file, text)).warnings) == warned


def test_a_credential_of_systemd_takes_the_place_of_the_password(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    text = SMALL.replace("  password: marker-8d1f\n", "")
    assert "storage[0].password is missing" in refusal(file, text)
    (tmp_path / "a.password").write_text("from systemd\n")
    (array,) = load(written(file, text)).storage
    assert (array.password.reveal(), array.clear_text) == ("from systemd", False)
    assert load(written(file, SMALL)).storage[0].password.reveal() == "marker-8d1f", "the file wins"
    (tmp_path / "a.password").write_bytes(b"\xff")
    assert "a.password" in refusal(file, text)


def test_roots_programs_find_the_credential_where_the_units_take_it_from(file: Path, tmp_path: Path) -> None:
    text = SMALL.replace("  password: marker-8d1f\n", "")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a.password").write_text("for the units\n")
    (array,) = load(written(file, text)).storage
    assert (array.password.reveal(), array.clear_text) == ("for the units", False)


def test_a_credential_that_is_there_and_not_given_to_the_unit_is_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a.password").write_text("for the units\n")
    said = refusal(file, SMALL.replace("  password: marker-8d1f\n", ""))
    assert f"LoadCredential=a.password:{tmp_path / 'etc/a.password'}" in said
    assert "for the units" not in said


def test_no_password_is_ever_shown(file: Path) -> None:
    found = load(written(file, SMALL))
    secret = found.storage[0].password
    for shown in (repr(found), str(found), f"{secret}", f"{secret:>20}", str([secret]), "%s" % (secret,)):  # noqa: UP031
        assert "marker-8d1f" not in shown
    assert repr(secret) == "***"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
