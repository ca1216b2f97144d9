"""A marker as password and as cipher key is in nothing that a node says in a life with a failure."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from instorage.configuration.file import ConfigurationFile
from instorage.configuration.secret import Secret
from instorage.configuration.shadow import encrypt
from tests.agent.bench import until
from tests.ctl.node import ROOT
from tests.diagnosis.conftest import journald
from tests.diagnosis.recorded import VOLUME, Recorded, ago
from tests.diagnosis.test_plugin import api, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ctl.node import Node
    from tests.diagnosis.journald import Journald

__all__ = ["api", "ask", "journald"]
pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
PRELUDE = """
import pathlib, sys
from instorage.configuration import settings
settings.load.__kwdefaults__["key_file"] = pathlib.Path(sys.argv.pop(1))
from nodeagent.administration import ctl
sys.exit(ctl.main())
"""
PASSWORD, KEY = "p4ssw0rd-MARKER", "c1pher-key-MARKER"
NODES = ("doctor", "status", "multipath", "arrays", "tree vol1", "why vol1 --proof", "why vol2 --proof")
JOURNALS = ("trace vol1 --svg", "trace vol2 --svg", "times --svg")
CLUSTERS = ("why default/web --proof", f"tree {VOLUME}", "volumes", "arrays", "doctor")


@pytest.fixture
def shadow(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the array take the marker, and the node have it as a shadow."""
    file = tmp_path / "shadow.key"
    file.write_text(KEY)
    file.chmod(0o600)
    monkeypatch.setitem(kept(ConfigurationFile.__init__), "key_file", file)
    for volume in ("vol1", "vol2"):
        node.create(volume)
    node.do("password", password=PASSWORD)
    made = encrypt(PASSWORD, Secret(KEY))
    configured = node.paths.configuration.read_text().replace("password: passw0rd", f"shadow: {made}")
    node.write_configuration(configured)
    return made


def kept(function: Any) -> dict[str, Any]:
    """The defaults of a function's named arguments."""
    found: dict[str, Any] = function.__kwdefaults__
    return found


def ctl(node: Node, key: str, *words: str) -> str:
    """What `instoragectl` says on a host whose cipher key lies there."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE, key, *words],
        cwd=ROOT, env=node.environment() | {"INSTORAGE_AGENT_SOCKET": str(node.socket)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def of_the_node(node: Node, key: str) -> Iterator[str]:
    for command in NODES:
        for form in ((), ("--json",)):
            yield ctl(node, key, *command.split(), *form)


def of_the_journal(node: Node, journal: Path) -> Iterator[str]:
    yield journal.read_text()
    for command in JOURNALS:
        for form in ((), ("--json",)):
            picture = journal.with_name("picture.svg")
            yield node.ctl(*command.split(), str(picture), "--journal", str(journal), *form)
            yield picture.read_text()


def of_the_bundle(node: Node, file: Path, key: str) -> Iterator[str]:
    yield ctl(node, key, "bundle", "--file", str(file))
    with tarfile.open(file) as tar:
        for member in tar.getmembers():
            opened = tar.extractfile(member)
            assert opened
            yield opened.read().decode()


def test_a_marker_in_password_and_key_is_in_nothing_that_is_said(
    node: Node,
    shadow: str,
    journald: Journald,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    api: Recorded,
    ask: Callable[..., tuple[int, str]],
) -> None:
    caplog.set_level(logging.DEBUG)
    key = str(tmp_path / "shadow.key")
    node.restart()
    node.use("vol1")  # the marker is what the array takes
    node.age()
    node.do("password", password="another")
    node.restart()
    refused = node.attach("vol2").failure("[array-authentication]")  # what kubelet makes an event of
    until(lambda: any(one.get("INSTORAGE_CODE") == "array-authentication" for one in journald.entries), 30)
    findings = json.loads(ctl(node, key, "doctor", "--json"))["findings"]
    found = json.dumps({"format": 1, "node": "node1", "findings": findings, "at": ago(90)})
    api.node()["metadata"]["annotations"] = {"instorage.inspur.com/doctor": found}
    api.failed_mount(refused)
    said = [refused, found, caplog.text, *of_the_node(node, key)]
    said += of_the_journal(node, journald.exported(tmp_path / "journal.json"))
    said += of_the_bundle(node, tmp_path / "bundle.tar.gz", key)
    said += [ask(*command.split(), *form)[1] for command in CLUSTERS for form in ((), ("--json",))]
    assert [one for one in said if not one.strip()] == [], "each says something"
    assert sum("was refused" in one or "array-authentication" in one for one in said) > 10
    for text in said:
        assert not any(secret in text for secret in (PASSWORD, KEY, shadow)), text
