"""The bundle: examined anywhere as the node was, and without a secret wherever one was put."""

from __future__ import annotations

import json
import stat
import tarfile
from typing import TYPE_CHECKING

import pytest

from instorage.wire.fault import Code, Fault
from nodeagent.administration.bundle import cleaned
from nodeagent.administration.doctor.run import of_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ctl.node import Node

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
MARKER = 'mar"ker-\\5ecret-ü'


def texts(file: Path) -> dict[str, str]:
    with tarfile.open(file) as tar:
        found = {}
        for member in tar.getmembers():
            opened = tar.extractfile(member)
            assert opened
            found[member.name.partition("/")[2]] = opened.read().decode()
    return found


def test_a_bundle_is_examined_elsewhere_with_the_same_findings(node: Node, tmp_path: Path) -> None:
    node.in_use("vol1")
    node.helper.trouble[node.records().popitem()[0]] = "its file system was shutdown after errors"
    node.root.program("timedatectl", "echo NTPSynchronized=no")
    (node.directory / "usr/bin").mkdir()
    journalctl = node.directory / "usr/bin/journalctl"
    journalctl.write_text('#!/bin/sh\necho "{\\"MESSAGE\\": \\"$*\\"}"\n')
    journalctl.chmod(0o755)
    file = tmp_path / "bundle.tar.gz"
    node.ctl("bundle", "--file", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = texts(file)
    assert set(found) == {"doctor.json", "findings.json", "doctor.txt", "journal.json", "version"}
    assert "--unit=instorage-helper" in json.loads(found["journal.json"])["MESSAGE"]
    there = node.doctor()
    node.close_all_but_the_bundle()
    elsewhere = {"INSTORAGE_ROOT": str(tmp_path), "INSTORAGE_PLUGIN": str(tmp_path)}
    said = node.ctl("doctor", "--json", "--bundle", str(file), status=2, **elsewhere)
    assert json.loads(said)["findings"] == there["findings"]
    assert {one["code"] for one in there["findings"]} == {"clock", "mount-trouble"}


def test_a_secret_is_in_no_member_whatever_said_it(node: Node, tmp_path: Path) -> None:
    node.in_use("vol1")
    node.do("password", password=MARKER)
    node.configure(password=json.dumps(MARKER))
    assert node.codes() == []  # the marker is what the array takes
    (node.directory / "usr/bin").mkdir()
    journalctl = node.directory / "usr/bin/journalctl"
    leaked = json.dumps({"MESSAGE": f"somebody logged {MARKER}"})
    (node.directory / "leak").write_text(leaked + "\n")
    journalctl.write_text(f"#!/bin/sh\ncat {node.directory}/leak\n")
    journalctl.chmod(0o755)
    node.root.units["instorage-nodeagent.service"]["StatusText"] = f"It is {MARKER}."
    node.root.say_units()
    file = tmp_path / "bundle.tar.gz"
    node.ctl("bundle", "--file", str(file), status=0)
    found = texts(file)
    assert "«not in the bundle»" in found["journal.json"]
    assert "«not in the bundle»" in found["doctor.json"]
    for text in found.values():
        for spelled in (MARKER, json.dumps(MARKER)[1:-1], json.dumps(MARKER, ensure_ascii=False)[1:-1]):
            assert spelled not in text


def test_a_bundle_is_never_written_over_another_file(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    node.ctl("bundle", "--file", str(file), status=1)
    assert "cannot be written (File exists)" in node.errors
    assert file.read_text() == "mine"


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b broken"])
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.tar.gz"
    file.write_bytes(content)
    with pytest.raises(Fault, match="is no bundle that can be read") as refused:
        of_bundle(file, "")
    assert refused.value.code is Code.BAD_REQUEST


def test_the_longest_secret_is_taken_out_first() -> None:
    assert cleaned("abcdef abcd", ("abcdef", "abcd")) == "«not in the bundle» «not in the bundle»"
