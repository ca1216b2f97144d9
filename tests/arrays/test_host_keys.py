"""The array's SSH host key is pinned on first use; a changed one is refused before the password leaves."""

from __future__ import annotations

import base64
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from instorage.arrays.as18000.session import host_keys
from instorage.arrays.as18000.session.host_keys import HostKeyFile
from instorage.arrays.endpoint import Endpoint
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from tests.arrays.conftest import Rig

ED25519_KIND = "ssh-ed25519"


def other_key() -> paramiko.PKey:
    """A key that is not the array's."""
    public = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    message = paramiko.Message()
    message.add_string(ED25519_KIND)
    message.add_string(public)
    return paramiko.Ed25519Key(data=message.asbytes())


def endpoint(address: str = "10.0.0.1", port: int = 22) -> Endpoint:
    return Endpoint("storage-01", address, port, "superuser", lambda: "")


def test_the_key_is_pinned_on_first_use_in_the_format_of_known_hosts(rig: Rig) -> None:
    rig.client().pool("Pool0")
    assert rig.known_hosts.read_text() == f"[127.0.0.1]:{rig.port} {rig.simulator.host_key}\n"
    assert not [
        entry
        for entry in rig.known_hosts.parent.iterdir()
        if entry.name.startswith(".known_hosts.") and entry.suffix != ".lock"
    ]
    before = rig.known_hosts.stat().st_mtime_ns
    rig.client().pool("Pool0")
    assert rig.known_hosts.stat().st_mtime_ns == before


def test_a_changed_key_is_refused_and_no_password_is_sent(rig: Rig) -> None:
    rig.password = "wrong"  # would be counted if it were sent
    pinned = other_key()
    rig.known_hosts.write_text(
        "# a comment\nother.example ssh-rsa AAAA\n"
        f"[127.0.0.1]:{rig.port} {ED25519_KIND} {pinned.get_base64()}\n"
    )
    with pytest.raises(Fault) as caught:
        rig.client().pool("Pool0")
    fault = caught.value
    assert fault.code is Code.ARRAY_HOST_KEY
    assert fault.fields["line"] == 3
    assert f"remove line 3 of {rig.known_hosts}" in fault.sentence
    shown = paramiko.Ed25519Key(data=base64.b64decode(rig.simulator.host_key.split()[1]))
    for fingerprint in (pinned.fingerprint, shown.fingerprint):
        assert fingerprint in fault.sentence
    assert "storage-01" in fault.sentence
    assert rig.do("counters")["events"].get("authentication_failures", 0) == 0
    assert rig.lines() == []


def test_removing_the_line_that_the_sentence_names_mends_it(rig: Rig) -> None:
    client = rig.client()
    rig.known_hosts.write_text(f"[127.0.0.1]:{rig.port} {ED25519_KIND} {other_key().get_base64()}\n")
    with pytest.raises(Fault):
        client.pool("Pool0")
    rig.known_hosts.write_text("")
    assert client.pool("Pool0") is not None


@pytest.mark.parametrize("damage", ["ssh-ed25519", "ssh-ed25519 not-base64", "", "ssh-rsa AAAA"])
def test_a_damaged_line_is_no_licence_to_pin_anew(rig: Rig, damage: str) -> None:
    rig.known_hosts.write_text(f"[127.0.0.1]:{rig.port} {damage}\n")
    with pytest.raises(Fault, match="remove line 1 of") as caught:
        rig.client().pool("Pool0")
    assert caught.value.code is Code.ARRAY_HOST_KEY


def test_a_hashed_line_as_ssh_keygen_writes_it_counts(tmp_path: Path) -> None:
    key = other_key()
    hashed = paramiko.HostKeys.hash_host("10.0.0.1")
    (tmp_path / "known_hosts").write_text(f"{hashed} {ED25519_KIND} {key.get_base64()}\n")
    pins = HostKeyFile(tmp_path / "known_hosts")
    pins.check(endpoint(), key)
    with pytest.raises(Fault):
        pins.check(endpoint(), other_key())


def test_arrays_on_one_address_and_different_ports_have_keys_of_their_own(tmp_path: Path) -> None:
    pins = HostKeyFile(tmp_path / "known_hosts")
    first, second = other_key(), other_key()
    pins.check(endpoint(), first)
    pins.check(endpoint(port=2222), second)
    pins.check(endpoint(), first)
    pins.check(endpoint(port=2222), second)
    assert [line.split()[0] for line in (tmp_path / "known_hosts").read_text().splitlines()] == [
        "10.0.0.1",
        "[10.0.0.1]:2222",
    ]


def test_pins_of_many_arrays_made_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("# kept, without a newline")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: HostKeyFile(path).check(endpoint(f"10.0.0.{n}"), other_key()), range(16)))
    lines = path.read_text().splitlines()
    assert len(lines) == 17
    assert lines[0] == "# kept, without a newline"


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing-directory" / "known_hosts"
    with pytest.raises(Fault, match=r"missing-directory/known_hosts: No such file") as caught:
        HostKeyFile(path).check(endpoint(), other_key())
    assert caught.value.code is Code.ARRAY_HOST_KEY


def test_a_lock_that_another_process_keeps_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_keys, "LOCK_PATIENCE", 0.1)
    held = os.open(tmp_path / ".known_hosts.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        with pytest.raises(Fault, match="another process holds"):
            HostKeyFile(tmp_path / "known_hosts").check(endpoint(), other_key())
    finally:
        os.close(held)


def test_the_pinned_kind_of_key_is_asked_for_first(rig: Rig) -> None:
    rig.known_hosts.write_text(f"[127.0.0.1]:{rig.port} ssh-rsa AAAA\n")
    assert HostKeyFile(rig.known_hosts).kinds(endpoint("127.0.0.1", rig.port)) == ("ssh-rsa",)
