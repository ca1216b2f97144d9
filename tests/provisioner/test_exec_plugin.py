"""The program of a kubeconfig that gives the credentials: it may hang, fail, or say nonsense."""

from __future__ import annotations

import datetime
import json
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from instorage.wire.fault import Code, Fault
from provisioner import credentials, exec_plugin
from provisioner.cluster import CLASSES, Away, Cluster, Refusal
from provisioner.exec_plugin import ExecPlugin
from tests.provisioner.scripted_api import ScriptedApi
from tests.provisioner.test_credentials import Door
from tests.provisioner.test_patience import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.subprocess
VERSION = "client.authentication.k8s.io/v1beta1"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "RUN_SECONDS", 1.0)
    monkeypatch.setattr(exec_plugin, "AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(credentials, "REST_SECONDS", 0.2)


class Plugin:
    """A plugin: a shell script whose lines a test gives; each run leaves a line in a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "plugin"
        self.runs = directory / "runs"
        self.runs.touch()
        self.path.touch(stat.S_IRWXU)

    def does(self, *lines: str) -> None:
        """Exchange what it does, in one moment: it may be run just now."""
        new = self.directory / "new"
        new.write_text("\n".join(("#!/bin/sh", f"echo $$ >>{self.runs}", *lines, "")))
        new.chmod(stat.S_IRWXU)
        new.replace(self.path)

    def gives(self, token: str, seconds: float | None = None) -> None:
        status: dict[str, Any] = {"token": token}
        if seconds is not None:
            ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
            status["expirationTimestamp"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        told = {"apiVersion": VERSION, "kind": "ExecCredential", "status": status}
        self.does(f"echo '{json.dumps(told)}'")

    @property
    def user(self) -> dict[str, Any]:
        return {"exec": {"apiVersion": VERSION, "command": str(self.path)}}

    @property
    def count(self) -> int:
        return len(self.runs.read_text().split())


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


@pytest.mark.slow
def test_one_that_hangs_is_ended_with_all_that_it_started_and_said(plugin: Plugin, tmp_path: Path) -> None:
    plugin.does("sleep 60 & echo $! >>child", "wait")
    with ScriptedApi(Door()) as api:
        began = time.monotonic()
        cluster = Cluster(api.kubeconfig(tmp_path / "kubeconfig", plugin.user))
        with pytest.raises(Away, match=r"plugin .* did not answer within 1 s, and was ended. Run it by hand"):
            cluster.objects(CLASSES)
        assert time.monotonic() - began < 20
        for pid in (*plugin.runs.read_text().split(), *(tmp_path / "child").read_text().split()):
            ended(int(pid))
        plugin.gives("old")
        until(lambda: served(cluster), 10)


def ended(pid: int) -> None:
    until(lambda: not alive(pid), 10)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def served(cluster: Cluster) -> bool:
    try:
        return cluster.objects(CLASSES)[1] == "5"
    except (Away, Refusal):
        return False


def test_while_it_hangs_one_run_is_that_of_everybody_who_waits(plugin: Plugin, tmp_path: Path) -> None:
    plugin.gives("old")
    door = Door()
    with ScriptedApi(door) as api:
        cluster = Cluster(api.kubeconfig(tmp_path / "kubeconfig", plugin.user))
        assert served(cluster)
        plugin.does("sleep 60")
        door.token = "new"
        before = plugin.count
        threads = [threading.Thread(target=served, args=(cluster,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert plugin.count - before <= 3, "and not twelve"


def test_a_token_that_is_still_good_is_used_on_when_no_new_one_can_be_had(
    plugin: Plugin, tmp_path: Path
) -> None:
    plugin.gives("old", seconds=200)  # a new one is asked for five minutes before
    with ScriptedApi(Door()) as api:
        cluster = Cluster(api.kubeconfig(tmp_path / "kubeconfig", plugin.user))
        plugin.does("exit 1")
        before = plugin.count
        assert served(cluster)
        until(lambda: served(cluster) and plugin.count > before, 10)
        assert served(cluster)


def test_a_token_of_a_short_life_is_not_asked_for_with_each_request(
    plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "REST_SECONDS", 30.0)
    plugin.gives("old", seconds=120)
    with ScriptedApi(Door()) as api:
        cluster = Cluster(api.kubeconfig(tmp_path / "kubeconfig", plugin.user))
        assert all(served(cluster) for _ in range(10))
        assert plugin.count == 1


def test_a_token_whose_time_is_over_is_followed_by_a_new_one(plugin: Plugin, tmp_path: Path) -> None:
    plugin.gives("old", seconds=-1)
    door = Door()
    with ScriptedApi(door) as api:
        cluster = Cluster(api.kubeconfig(tmp_path / "kubeconfig", plugin.user))
        plugin.gives("new")
        door.token = "new"
        until(lambda: served(cluster), 10)
        assert api.asked[-1].bearer == "Bearer new"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["echo away >&2; exit 3"], r"ended with status 3 \(away\)"),
        (["exit 1"], r"ended with status 1 \(it said nothing\)"),
        (["echo {"], "printed no ExecCredential of client.authentication.k8s.io/v1beta1"),
        (["echo '[]'"], "printed no ExecCredential"),
        (['echo \'{"apiVersion":"v1","status":{}}\''], "printed no ExecCredential"),
        ([f"echo '{json.dumps({'apiVersion': VERSION, 'status': {'token': ''}})}'"], "neither a token nor"),
    ],
)
def test_what_it_says_wrong_is_said(plugin: Plugin, lines: list[str], sentence: str) -> None:
    plugin.does(*lines)
    with pytest.raises(Fault, match=sentence) as caught:
        ExecPlugin().status(plugin.user["exec"], str(plugin.directory), {})
    assert caught.value.code is Code.CREDENTIAL_PLUGIN
    assert str(plugin.path) in caught.value.sentence


def test_one_that_is_not_installed_is_said_with_the_hint_of_the_kubeconfig(tmp_path: Path) -> None:
    config = {"apiVersion": VERSION, "command": "no-such-program", "installHint": "apt install it"}
    with pytest.raises(Fault, match=r"cannot be started \(No such file or directory\): apt install it"):
        ExecPlugin().status(config, str(tmp_path), {})
    with pytest.raises(Fault, match="interactiveMode Always"):
        ExecPlugin().status(config | {"interactiveMode": "Always"}, str(tmp_path), {})


def test_it_is_told_of_the_cluster_and_has_its_own_variables(plugin: Plugin) -> None:
    plugin.does('echo "$GREETING $KUBERNETES_EXEC_INFO" >told', "exit 1")
    config = plugin.user["exec"] | {
        "env": [{"name": "GREETING", "value": "hello"}],
        "provideClusterInfo": True,
    }
    with pytest.raises(Fault):
        ExecPlugin().status(config, str(plugin.directory), {"server": "https://api"})
    greeting, _, told = (plugin.directory / "told").read_text().partition(" ")
    assert greeting == "hello"
    spec = {"interactive": False, "cluster": {"server": "https://api"}}
    assert json.loads(told) == {"apiVersion": VERSION, "kind": "ExecCredential", "spec": spec}


def test_paths_in_a_kubeconfig_are_meant_from_where_it_lies(plugin: Plugin, tmp_path: Path) -> None:
    plugin.gives("old")
    (tmp_path / "token").write_text("old")
    with ScriptedApi(Door()) as api:
        for user in ({"tokenFile": "token"}, {"exec": plugin.user["exec"] | {"command": "./plugin"}}):
            assert served(Cluster(api.kubeconfig(tmp_path / "kubeconfig", user)))
