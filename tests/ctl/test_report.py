"""What a node publishes of itself: into its own Node object, by its kubelet's access, and nothing secret."""

from __future__ import annotations

import datetime
import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.fault import Code, Fault
from nodeagent.administration import kubelet_access, report
from tests.ctl.api_server import TOKEN, ApiServer
from tests.ctl.host_root import HostRoot
from tests.ctl.node import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ctl.node import Node

pytestmark = [pytest.mark.subprocess, pytest.mark.slow, pytest.mark.timeout(300)]
CERTIFICATE = {"client-certificate": "kubelet.crt", "client-key": "kubelet.key"}
NOW = datetime.datetime(2026, 11, 30, 12, 0, tzinfo=datetime.UTC)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    server = ApiServer(tmp_path / "pki")
    yield server
    server.close()


def run(node: Node, path: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "nodeagent.administration.report"],
        cwd=ROOT, env=node.environment() | {"INSTORAGE_KUBELET_KUBECONFIG": str(path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


def published(api: ApiServer) -> dict[str, Any]:
    return dict(json.loads(api.annotations[report.KEY]))


def test_a_node_says_its_findings_in_its_own_object_and_asks_no_array(node: Node, api: ApiServer) -> None:
    uid = node.in_use("vol1", "vol2")["vol1"]
    node.helper.trouble[uid] = "its file system was shutdown after errors"
    node.root.program("timedatectl", "echo NTPSynchronized=no")
    node.reset()
    status, said = run(node, api.kubeconfig(CERTIFICATE))
    assert (status, said) == (0, "<6>instorage-report: node node1 says 1 errors and 1 warnings.\n")
    found = published(api)
    assert [one["code"] for one in found["findings"]] == ["clock", "mount-trouble"]
    assert (found["format"], found["node"], found["volumes"]) == (1, "node1", 2)
    assert api.annotations["of"] == "another"
    asked = [
        ("GET", "/api/v1/nodes/node1", "system:node:node1"),
        ("PATCH", "/api/v1/nodes/node1", "system:node:node1"),
    ]
    assert api.asked == asked
    assert node.commands() == []
    assert run(node, api.kubeconfig(CERTIFICATE)) == (
        0, "<6>instorage-report: node node1 says already what was found.\n",
    )  # fmt: skip
    assert [one[0] for one in api.asked] == ["GET", "PATCH", "GET"]


def test_no_secret_of_the_node_is_published_or_said(node: Node, api: ApiServer) -> None:
    node.configure(password="m4rker-secret")
    node.root.units["iscsid.socket"]["ActiveState"] = "failed"
    node.root.say_units()
    _, said = run(node, api.kubeconfig({"token": TOKEN}))
    key = (api.directory / "kubelet.key").read_text().splitlines()[1]
    text = said + json.dumps(api.annotations)
    assert published(api)["errors"] == 1
    assert not any(secret in text for secret in ("m4rker-secret", TOKEN, key))


def test_every_form_of_a_kubelets_access_is_taken(api: ApiServer) -> None:
    (api.directory / "token").write_text(f"{TOKEN}\n")
    embedded = {
        "client-certificate-data": api.data("kubelet.crt"),
        "client-key-data": api.data("kubelet.key"),
    }
    for user in (CERTIFICATE, embedded, {"token": TOKEN}, {"tokenFile": "token"}):
        kubelet_access.read(api.kubeconfig(user)).annotate("node1", "form", str(len(api.asked)))
        assert api.annotations["form"] == str(len(api.asked) - 1)
    inline = api.kubeconfig(CERTIFICATE, **{"certificate-authority-data": api.data("ca.crt")})
    assert kubelet_access.read(inline).annotations("node1") == api.annotations
    assert TOKEN not in repr(kubelet_access.read(api.kubeconfig({"token": TOKEN})))


def test_an_unknown_server_and_a_refusal_are_said(api: ApiServer, tmp_path: Path) -> None:
    access = kubelet_access.read(api.kubeconfig(CERTIFICATE))
    api.status = 403
    with pytest.raises(Fault, match="status 403") as refused:
        access.annotate("node1", "a", "b")
    assert refused.value.code is Code.NOT_ALLOWED
    api.status = 200
    other = ApiServer(tmp_path / "other")  # somebody else's certificate
    wrong = {"certificate-authority-data": other.data("ca.crt")}
    access = kubelet_access.read(api.kubeconfig(CERTIFICATE, **wrong))
    with pytest.raises(Fault, match="CERTIFICATE_VERIFY_FAILED") as unknown:
        access.annotations("node1")
    assert unknown.value.code is Code.TIMEOUT
    other.close()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "it is not as a kubeconfig is"),
        ("a: [", "it is not as a kubeconfig is"),
        ('{"current-context": "x", "contexts": []}', "contexts has none that is named x"),
        (None, "cannot be loaded"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_said_without_its_content(
    api: ApiServer, text: str | None, part: str
) -> None:
    path = api.kubeconfig({"client-certificate": "kubelet.crt", "client-key": "ca.key"})
    if text is not None:
        path.write_text(text)
    with pytest.raises(Fault) as refused:
        kubelet_access.read(path)
    assert refused.value.code is Code.BAD_CONFIGURATION
    assert str(path) in refused.value.sentence
    if text is not None:
        assert part in refused.value.sentence


def test_a_broken_configuration_is_what_is_said(node: Node, api: ApiServer) -> None:
    node.write_configuration("host: [")
    name = socket.gethostname().lower()
    assert run(node, api.kubeconfig(CERTIFICATE))[0] == 0
    assert "bad-configuration" in [one["code"] for one in published(api)["findings"]]
    assert {one[1] for one in api.asked} == {f"/api/v1/nodes/{name}"}


def test_root_is_left_before_the_network_is_used(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    root = HostRoot(tmp_path / "host")
    config = (
        "host: {link: iscsi, nodeName: node1}\nstorage:\n- {name: a, type: AS18000, host: '127.0.0.1:1', "
    )
    root.write("plugin/config/instorage.yaml", f"{config}username: u, password: passw0rd}}\n", 0o600)
    known = {
        "INSTORAGE_ROOT": "", "INSTORAGE_PLUGIN": "/plugin", "STATE_DIRECTORY": "/state",
        "INSTORAGE_HELPER_SOCKET": "/helper.sock", "INSTORAGE_KUBELET_ROOTS": "/var/lib/kubelet",
    }  # fmt: skip
    for key, below in known.items():
        monkeypatch.setenv(key, f"{root.root}{below}")
    monkeypatch.setenv("INSTORAGE_KUBELET_KUBECONFIG", str(api.kubeconfig(CERTIFICATE)))
    monkeypatch.setattr(report, "leave_root", lambda user: order.append(f"{user} {len(api.asked)}"))
    root.say_units()
    assert "node node1 says" in report.report()
    assert order == ["instorage-agent 0"]
    assert [one[0] for one in api.asked] == ["GET", "PATCH"]


def test_it_is_written_again_when_it_changed_or_is_old() -> None:
    said = {"format": 1, "findings": []}
    before = json.dumps({"at": (NOW - datetime.timedelta(minutes=30)).isoformat(), **said})
    assert not report.due(NOW, said, before)
    assert report.due(NOW, said | {"findings": [1]}, before)
    assert report.due(NOW + datetime.timedelta(hours=1), said, before)
    assert report.due(NOW - datetime.timedelta(hours=1), said, before)  # a clock that went back
    for strange in ("", "{", "[]", '{"at": 1}', '{"format": 1}'):
        assert report.due(NOW, said, strange)


@pytest.mark.parametrize("words", ["--kubeconfig={}", "--v=2 -kubeconfig={} --x", "--kubeconfig {}"])
def test_the_kubeconfig_that_kubelet_was_started_with_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(kubelet_access, "PLACES", ())
    monkeypatch.delenv("INSTORAGE_KUBELET_KUBECONFIG", raising=False)
    place = tmp_path / "of-kubelet"
    place.write_text("")
    process = tmp_path / "proc/42"
    process.mkdir(parents=True)
    line = "/usr/bin/kubelet\0" + words.format(place).replace(" ", "\0") + "\0"
    (process / "cmdline").write_text(line)
    (process / "cgroup").write_text("0::/system.slice/kubelet.service\n")
    assert kubelet_access.file(tmp_path / "proc") == place
    for other in ("/user.slice/user-1000.slice/user@1000.service/system.slice/kubelet.service", "/"):
        (process / "cgroup").write_text(f"0::{other}\n")
        assert kubelet_access.file(tmp_path / "proc") is None, "anybody may call a program kubelet"
