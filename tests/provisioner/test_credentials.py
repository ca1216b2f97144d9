"""Credentials that fail while the provisioner runs are asked for again; nothing ends."""

from __future__ import annotations

import base64
import os
import ssl
import stat
import tempfile
from typing import TYPE_CHECKING

import pytest

from provisioner import exec_plugin
from provisioner import reflection as reflection_module
from provisioner.cluster import CLASSES, Away, Cluster
from provisioner.events import Event, Events
from provisioner.reflection import Reflection
from tests.provisioner.scripted_api import Answer, ScriptedApi, listed, named, status
from tests.provisioner.test_patience import until
from tools.kube.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provisioner.scripted_api import Asked


class Door:
    """An API server that knows one token; strangers get 403, as from a true one, wrong tokens 401."""

    def __init__(self) -> None:
        self.token = "old"

    def __call__(self, asked: Asked) -> Answer:
        if not asked.bearer:
            return status(403, 'User "system:anonymous" cannot list resource')
        if asked.bearer != f"Bearer {self.token}":
            return status(401, "Unauthorized")
        return Answer(held=0.2) if asked.watch else listed(5, named("a"))


def test_a_kubeconfig_that_is_away_when_the_token_changes_ends_nothing(tmp_path: Path) -> None:
    door = Door()
    with ScriptedApi(door) as api:
        kubeconfig = api.kubeconfig(tmp_path / "kubeconfig", {"token": "old"})
        cluster = Cluster(kubeconfig)
        reflection = Reflection(cluster, CLASSES, lambda old, new: None)
        events = Events(cluster, "instorage-provisioner", "here")
        events.start()
        reflection.start()
        assert reflection.listed.wait(10)
        kubeconfig.unlink()
        door.token = "new"
        events.say(Event(named("a"), "PersistentVolume", normal=True, reason="Told", message="nobody"))
        until(lambda: any(asked.method == "POST" for asked in api.asked), 10)
        with pytest.raises(Away, match="cannot be read from"):
            cluster.objects(CLASSES)
        api.kubeconfig(kubeconfig, {"token": "new"})
        events.say(Event(named("a"), "PersistentVolume", normal=True, reason="Told", message="again"))
        seen = [asked for asked in api.asked if asked.watch]
        until(lambda: len([asked for asked in api.asked if asked.watch]) > len(seen) + 1, 20)
        until(lambda: api.asked[-1].bearer == "Bearer new", 10)
        assert reflection.alive
        assert events.alive
        reflection.stop()
        events.stop()


@pytest.mark.subprocess
def test_an_exec_plugin_that_failed_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its failure leaves this program without any credentials; a stranger is told 403, not 401."""
    monkeypatch.setattr(exec_plugin, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(reflection_module, "FIRST_PAUSE", 0.1)
    plugin, out = tmp_path / "plugin", tmp_path / "out"
    plugin.write_text(f"#!/bin/sh\ncat {out}\n")
    plugin.chmod(stat.S_IRWXU)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": str(plugin)}}
    with ScriptedApi(Door()) as api:
        cluster = Cluster(api.kubeconfig(tmp_path / "kubeconfig", user))
        reflection = Reflection(cluster, CLASSES, lambda old, new: None)
        reflection.start()
        until(lambda: len(api.asked) >= 2, 10)
        assert not reflection.listed.is_set()
        told = '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential",'
        out.write_text(told + '"status":{"token":"old"}}')
        assert reflection.listed.wait(10)
        reflection.stop()


@pytest.mark.parametrize("text", ["", "{", "- a", "clusters: 7\n", "\0"])
def test_a_kubeconfig_that_is_nonsense_is_no_end_either(tmp_path: Path, text: str) -> None:
    door = Door()
    with ScriptedApi(door) as api:
        kubeconfig = api.kubeconfig(tmp_path / "kubeconfig", {"token": "old"})
        cluster = Cluster(kubeconfig)
        cluster.objects(CLASSES)
        kubeconfig.write_text(text)
        door.token = "new"
        with pytest.raises(Away, match="cannot be read from"):
            cluster.objects(CLASSES)
        api.kubeconfig(kubeconfig, {"token": "new"})
        assert cluster.objects(CLASSES)[1] == "5"


def test_certificates_inside_a_kubeconfig_outlive_an_aged_tmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    pki = tmp_path / "pki"
    authority = Authority(pki)
    authority.issue("server", "kube-apiserver", hosts=("127.0.0.1",))
    authority.issue("client", "instorage-provisioner")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
    tls.load_cert_chain(pki / "server.crt", pki / "server.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    with ScriptedApi(lambda asked: Answer(document=listed(5).document, cut=True), tls) as api:
        inside = {
            name: base64.b64encode((pki / file).read_bytes()).decode()
            for name, file in (("ca", "ca.crt"), ("crt", "client.crt"), ("key", "client.key"))
        }
        user = {"client-certificate-data": inside["crt"], "client-key-data": inside["key"]}
        authority_data = {"certificate-authority-data": inside["ca"]}
        cluster = Cluster(api.kubeconfig(tmp_path / "kubeconfig", user, **authority_data))
        assert cluster.objects(CLASSES)[1] == "5"
        files = list(temporary.iterdir())
        assert files, "the client's library keeps them there"
        for _ in range(2):
            for file in temporary.iterdir():
                os.unlink(file)
            assert cluster.objects(CLASSES)[1] == "5"


def test_another_authority_in_the_kubeconfig_is_taken_up(tmp_path: Path) -> None:
    """The cluster's certificates were all made anew; the file is exchanged while this program runs."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    for authority in (old, new):
        authority.issue("server", "kube-apiserver", hosts=("127.0.0.1",))

    def context(name: str) -> ssl.SSLContext:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(tmp_path / name / "server.crt", tmp_path / name / "server.key")
        return tls

    def data(name: str) -> str:
        return base64.b64encode((tmp_path / name / "ca.crt").read_bytes()).decode()

    tls = context("old")
    with ScriptedApi(lambda asked: Answer(document=listed(5).document, cut=True), tls) as api:
        kubeconfig = api.kubeconfig(
            tmp_path / "kubeconfig", None, **{"certificate-authority-data": data("old")}
        )
        cluster = Cluster(kubeconfig)
        assert cluster.objects(CLASSES)[1] == "5"
        tls.load_cert_chain(tmp_path / "new" / "server.crt", tmp_path / "new" / "server.key")
        until(lambda: "certificate" in why_not(cluster), 10)  # the old connection's end may come late
        api.kubeconfig(kubeconfig, None, **{"certificate-authority-data": data("new")})
        until(lambda: why_not(cluster) == "", 10)


def why_not(cluster: Cluster) -> str:
    try:
        return "" if cluster.objects(CLASSES)[1] == "5" else "another list"
    except Away as away:
        return str(away)
