"""`instoragectl multipath` and the doctor: what multipathd has in force, against the manual's section."""

from __future__ import annotations

import json
import socket
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.multipath import TEXT
from nodeagent.administration import ctl, multipathd
from nodeagent.administration.doctor.multipath import MANUAL, in_force, judged
from nodeagent.administration.multipath_check import asked
from nodeagent.administration.multipath_syntax import parse
from nodeagent.diagnosis.finding import Severity
from tests.ctl.host_root import HostRoot

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN = (Path(__file__).resolve().parents[1] / "data/multipathd-0.9.4-show-config.txt").read_text()
"""What multipath-tools 0.9.4 (Debian 12) made of the manual's section; devices of others are left out."""
LENGTH = struct.Struct("@N")


def codes(config: str, *wwids: str) -> set[str]:
    return {one.code for one in judged(config, wwids)}


def with_blacklist(lines: str, more: str = "") -> str:
    return SHOWN.replace("blacklist {\n", "blacklist {\n" + lines + "\n", 1) + more


def test_the_manuals_section_in_force_is_in_order() -> None:
    assert judged(SHOWN) == []


def test_the_installers_file_is_the_manuals_section() -> None:
    assert in_force(parse(TEXT)) == MANUAL


@pytest.mark.parametrize("key", [key for key in MANUAL if key != "features"])
def test_each_key_that_differs_is_named_with_both_values(key: str) -> None:
    (line,) = [one for one in SHOWN.partition('vendor "INSPUR"')[2].splitlines() if one.split()[:1] == [key]]
    config = SHOWN.partition('vendor "INSPUR"')
    changed = config[0] + config[1] + config[2].replace(line, f"\t\t{key} 7", 1)
    (found,) = judged(changed)
    assert (found.code, found.sentence) == (
        "multipath-differs", f"{key} is 7 for INSPUR MCS; the manual has {MANUAL[key]}."
    )  # fmt: skip
    assert "multipathd reconfigure" in found.command


@pytest.mark.parametrize(
    ("retry", "code"),
    [
        ("no_path_retry queue", "multipath-queues-for-ever"),
        ('features "1 queue_if_no_path"', "multipath-queues-for-ever"),
        ("no_path_retry fail", "multipath-no-retry"),
        ("", "multipath-no-retry"),
    ],
)
def test_what_happens_without_a_path_is_told(retry: str, code: str) -> None:
    config = SHOWN.replace('\t\tfeatures "0"\n', "").replace("\t\tno_path_retry 60\n", f"\t\t{retry}\n")
    assert code in codes(config)


def test_what_overrides_say_counts_more_than_the_devices_section() -> None:
    config = SHOWN.replace("overrides {\n", "overrides {\n\tno_path_retry queue\n")
    assert codes(config) == {"multipath-queues-for-ever"}


@pytest.mark.parametrize("pattern", ["^sd[a-z]", "^sda", ".*", "sd[a-z]+$", "!^dm-"])
def test_a_devnode_that_hides_disks_with_two_letters_is_found(pattern: str) -> None:
    (found,) = judged(with_blacklist(f'\tdevnode "{pattern}"'))
    assert (found.code, f"«{pattern}»" in found.sentence) == ("multipath-hides-devnode", True)


@pytest.mark.parametrize("pattern", ["^sda$", "^(ram|loop|fd|md|dm-|sr|scd|st)[0-9]", "^hd[a-z]", "["])
def test_a_devnode_that_hides_none_is_passed_over(pattern: str) -> None:
    assert judged(with_blacklist(f'\tdevnode "{pattern}"')) == []


def test_an_exception_spares_what_the_blacklist_hides() -> None:
    spared = 'blacklist_exceptions {\n\twwid "^36005076"\n\tdevnode "^sd"\n}\n'
    assert judged(with_blacklist('\tdevnode ".*"\n\twwid ".*"', spared)) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('wwid ".*"', "multipath-hides-wwid"),
        ('wwid "36005076123456789012345678901234f"', "multipath-hides-wwid"),
        ('protocol "scsi:iscsi"', "multipath-hides-protocol"),
        ('device {\n vendor "INSPUR"\n product ".*"\n}', "multipath-hides-device"),
    ],
)
def test_what_else_hides_the_arrays_disks_is_found(line: str, code: str) -> None:
    assert codes(with_blacklist(line), "36005076123456789012345678901234f") == {code}


@given(st.text(alphabet=' \n\t"{}#!abcdevnosrt[^', max_size=200))
def test_no_configuration_is_too_strange(text: str) -> None:
    judged(text)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A multipathd on a socket, and what it was asked."""
    asked: list[str] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "mpd"))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                (size,) = LENGTH.unpack(connection.recv(LENGTH.size))
                asked.append(connection.recv(size).rstrip(b"\0").decode())
                answer = with_blacklist('\tdevnode "^sda"').encode() + b"\0"
                connection.sendall(LENGTH.pack(len(answer)) + answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    monkeypatch.setattr(multipathd, "SOCKETS", (str(tmp_path / "mpd"),))
    yield asked
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(30)


@pytest.mark.root
def test_it_is_taken_from_multipathd_itself(
    daemon: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["instoragectl", "multipath"])
    assert ctl.main() == 1
    said = capsys.readouterr().out
    assert "  no_path_retry 60\n" in said
    assert "trouble: devnode «^sda» in blacklist hides sdaa, sdab" in said
    monkeypatch.setattr("sys.argv", ["instoragectl", "multipath", "--json"])
    assert ctl.main() == 1
    assert '"code": "multipath-hides-devnode"' in json.dumps(json.loads(capsys.readouterr().out))
    assert daemon == ["show config"] * 2


@pytest.mark.root
def test_a_multipathd_that_is_not_there_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipathd, "SOCKETS", (str(tmp_path / "none"),))
    force, (found,) = asked(tmp_path)
    assert (force, found.code, found.severity) == ({}, "multipathd-silent", Severity.ERROR)
    assert "systemctl status multipathd" in found.command


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    return HostRoot(tmp_path)


@pytest.mark.subprocess
def test_a_blacklist_that_hides_disks_is_found(host: HostRoot) -> None:
    host.have_in_force('blacklist {\n  devnode "^sda"\n}\n')
    (found,) = host.findings("multipath")
    assert (found.code, found.severity) == ("multipath-hides-devnode", Severity.ERROR)
    assert "sdaa" in found.sentence


@pytest.mark.parametrize("answer", ["exit 1", "exit 0"])
@pytest.mark.subprocess
def test_where_multipathd_says_nothing_its_files_are_looked_at(host: HostRoot, answer: str) -> None:
    host.program("multipathd", answer)
    host.write("etc/multipath/conf.d/x.conf", 'blacklist {\n  devnode "^sda"\n}\n')
    (found,) = host.findings("multipath")
    assert (found.code, found.severity) == ("multipath-hides-devnode", Severity.ERROR)
    assert "/etc/multipath/conf.d/x.conf" in found.proof
    host.write("etc/multipath.conf", 'blacklist_exceptions {\n  devnode "^sd"\n}\n')
    assert host.findings("multipath") == []


@pytest.mark.subprocess
def test_maps_that_wait_for_ever_are_found_in_what_is_in_force(host: HostRoot) -> None:
    host.have_in_force(no_path_retry="queue")
    assert "multipath-queues-for-ever" in host.codes("multipath")
