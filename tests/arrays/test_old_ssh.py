"""An array whose SSH has only SHA-1: named by what it offers, and used when its entry says so."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import paramiko
import pytest

from instorage.arrays.as18000.session import legacy
from instorage.arrays.as18000.session.transport import ArrayTransport
from instorage.arrays.pool import ArrayPool, array_client
from instorage.configuration.settings import load
from instorage.wire.fault import Code, Fault
from simulator.face.algorithms import EXCHANGES, Offer
from tests.arrays.conftest import NAMES, NODE, V1, spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.arrays.conftest import Rig

GROUP14, EXCHANGE, GROUP1 = EXCHANGES
OLD_KEY = Offer(keys=("ssh-rsa",))
OLD = (
    OLD_KEY,
    Offer(exchanges=(GROUP14,)),
    Offer((GROUP14, EXCHANGE, GROUP1), ("ssh-rsa",)),
    Offer((EXCHANGE,), ("ssh-rsa",)),
    Offer((GROUP1,), ("ssh-rsa",)),
)


def named(offer: Offer) -> str:
    return ",".join([*offer.exchanges, *offer.keys])


@pytest.mark.parametrize("offer", OLD, ids=named)
def test_an_old_array_is_said_to_be_old_with_what_it_offers_and_asked_once(
    make_rig: Callable[..., Rig], offer: Offer
) -> None:
    rig = make_rig(offer=offer)
    with pytest.raises(Fault, match="too old for this program") as caught:
        rig.client().find_volume(V1)
    fault = caught.value
    assert fault.code is Code.ARRAY_ALGORITHMS
    for name in (*offer.exchanges, *offer.keys):
        assert name in fault.sentence
    assert "sshLegacy: true" in fault.sentence
    assert "firewall" not in fault.sentence
    counters = rig.do("counters")
    assert counters["connections"]["opened"] == 1
    assert counters["passwords"]["opened"] == 0


@pytest.mark.parametrize("offer", OLD, ids=named)
def test_an_old_array_is_used_when_its_entry_says_so(make_rig: Callable[..., Rig], offer: Offer) -> None:
    rig = make_rig(offer=offer)
    array = rig.client(legacy=True)
    made = array.create_volume(spec("v1"))
    host = array.ensure_host(NODE, link="iscsi", names=NAMES)
    assert array.map_volume(V1, host.name).luns
    assert rig.client(legacy=True).find_volume(V1) == made
    assert rig.known_hosts.read_text() == f"[127.0.0.1]:{rig.port} {rig.simulator.host_key}\n"


def test_the_key_in_the_configuration_is_for_its_array_alone(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    one, other = make_rig(offer=OLD_KEY), make_rig(offer=OLD_KEY)
    entry = "- {{name: {}, type: AS18000, host: '127.0.0.1:{}', username: superuser, password: passw0rd{}}}\n"
    text = entry.format("old", one.port, ", sshLegacy: true") + entry.format("other", other.port, "")
    (tmp_path / "config").mkdir()
    file = tmp_path / "config/instorage.yaml"
    file.write_text(f"storage:\n{text}")
    settings = load(file, need_host=False)
    pool = ArrayPool(lambda storage: array_client(storage, tmp_path / "known_hosts"))
    assert pool.get(settings, "old").find_volume(V1) is None
    with pytest.raises(Fault) as caught:
        pool.get(settings, "other").find_volume(V1)
    assert caught.value.code is Code.ARRAY_ALGORITHMS
    pool.close()


def test_another_key_of_an_old_array_is_refused_before_the_password_leaves(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(offer=OLD_KEY)
    other = paramiko.RSAKey.generate(1024 * 2).get_base64()
    rig.known_hosts.write_text(f"[127.0.0.1]:{rig.port} ssh-rsa {other}\n")
    with pytest.raises(Fault) as caught:
        rig.client(legacy=True).find_volume(V1)
    assert caught.value.code is Code.ARRAY_HOST_KEY
    assert rig.do("counters")["passwords"]["opened"] == 0


def test_a_signature_that_is_not_the_key_s_is_refused(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(offer=OLD_KEY)
    other = paramiko.RSAKey.generate(2048)
    right = other.sign_ssh_data
    monkeypatch.setattr(
        "simulator.face.algorithms.Sha1Key.sign_ssh_data",
        lambda _self, data, _algorithm=None: right(data, "rsa-sha2-256"),
    )
    with pytest.raises(Fault) as caught:
        rig.client(legacy=True).find_volume(V1)
    assert caught.value.code is Code.ARRAY_HOST_KEY
    assert rig.do("counters")["passwords"]["opened"] == 0


def test_an_array_that_can_do_better_is_spoken_to_as_before(
    make_rig: Callable[..., Rig], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    modern = ArrayTransport._preferred_kex, ArrayTransport._preferred_keys  # type: ignore[attr-defined]
    assert legacy.LegacyTransport._preferred_kex[: len(modern[0])] == modern[0]
    assert legacy.LegacyTransport._preferred_keys[: len(modern[1])] == modern[1]
    rig = make_rig(offer=Offer((GROUP14, "curve25519-sha256@libssh.org"), ("ssh-rsa", "rsa-sha2-256")))
    assert rig.client().find_volume(V1) is None, "one that asks for no SHA-1 gets none"
    assert rig.client(legacy=True).find_volume(V1) is None
    assert "needs no SHA-1 any more: take sshLegacy out" in caplog.text


def test_nothing_of_an_old_array_s_client_is_left_in_another_s(make_rig: Callable[..., Rig]) -> None:
    old, other = make_rig(offer=OLD_KEY), make_rig(offer=OLD_KEY)
    assert old.client(legacy=True).find_volume(V1) is None
    with pytest.raises(Fault) as caught:
        other.client().find_volume(V1)
    assert caught.value.code is Code.ARRAY_ALGORITHMS


def test_an_array_for_which_sshlegacy_would_not_do_is_not_said_to_need_it(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy.LegacyTransport, "_preferred_kex", ("curve25519-sha256@libssh.org",))
    with pytest.raises(Fault) as caught:
        make_rig(offer=Offer((GROUP1,), ("ssh-rsa",))).client().find_volume(V1)
    assert caught.value.code is Code.ARRAY_ALGORITHMS
    assert "sshLegacy" not in caught.value.sentence
    assert "update the array's firmware" in caught.value.sentence


@pytest.mark.subprocess
@pytest.mark.parametrize("exchange", [GROUP14, GROUP1, EXCHANGE])
def test_the_simulator_s_old_ssh_is_that_of_openssh(
    make_rig: Callable[..., Rig], tmp_path: Path, exchange: str
) -> None:
    ssh = shutil.which("ssh")
    assert ssh is not None, "tools/system-packages installs it"
    key = paramiko.RSAKey.generate(2048)
    key.write_private_key_file(str(tmp_path / "key"))
    rig = make_rig(offer=Offer((exchange,), ("ssh-rsa",)), keys=(key.get_base64(),))
    options = [
        f"UserKnownHostsFile={tmp_path / 'known'}", "StrictHostKeyChecking=no", "BatchMode=yes",
        "HostKeyAlgorithms=ssh-rsa", f"KexAlgorithms={exchange}", "IdentitiesOnly=yes",
    ]  # fmt: skip
    argv = [ssh, "-F", "none", "-p", str(rig.port), "-i", str(tmp_path / "key")]
    argv += [part for option in options for part in ("-o", option)]
    said = subprocess.run(
        [*argv, "superuser@127.0.0.1", "mcsinq lssystem"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("id ")
    pinned = (tmp_path / "known").read_text().split()
    assert pinned[1:3] == rig.simulator.host_key.split()
