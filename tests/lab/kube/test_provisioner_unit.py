"""The provisioner under its unit on a machine, confined by systemd, beside one that works elsewhere."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.kube.world import until
from tests.lab.selinux.domains import domain
from tests.soak import in_turn
from tools.install import PARTS, PROVISIONER, ROOT, SITE, as_tar
from tools.kube.machines import API_ADDRESS, API_PORT
from tools.kube.provisioner import ACCOUNT
from tools.lab.product import PASSWORD, USER
from tools.lab.topology import MANAGEMENT

if TYPE_CHECKING:
    from tests.lab.kube.world import World
    from tools.kube.provisioner import Provisioner

pytestmark = [pytest.mark.lab, pytest.mark.kube, pytest.mark.timeout(1500)]
UNIT = "instorage-provisioner"
SITE_PACKAGES = f"{PARTS['provisioner'].prefix}/{SITE}"
TAKE_OVER = 60.0  # seconds; the lease is 15 s, but the guest's Python is slow


def third_party() -> bytes:
    """What requirements-provisioner.lock brings, as this environment has it, below site-packages."""
    lock = (ROOT / "requirements-provisioner.lock").read_text()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE):
            for file in distribution(name).files or ():
                source = Path(str(file.locate()))
                if ".." not in file.parts and source.is_file() and "__pycache__" not in file.parts:
                    tar.add(source, f"{SITE_PACKAGES}/{file}")
    return packed.getvalue()


def kubeconfig(world: World, token: str) -> dict[str, Any]:
    authority = (world.cluster.plane.pki / "ca.crt").read_bytes()
    cluster = {
        "server": f"https://{API_ADDRESS}:{API_PORT}",
        "certificate-authority-data": base64.b64encode(authority).decode(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": ACCOUNT}}],
        "current-context": "lab",
    }


def install(world: World, provisioner: Provisioner) -> None:
    """Do what README.md says for a provisioner's host, with the key of the provisioner that works."""
    machine = world.products["b"].machine
    machine.run(f"python3 -m venv --without-pip /{PARTS['provisioner'].prefix}", timeout=300)
    machine.put_tree("/", third_party())
    machine.put_tree("/", as_tar(part=PARTS["provisioner"]))
    machine.run("systemd-sysusers && systemd-tmpfiles --create")
    storage = {
        "name": "storage-01",
        "type": "AS18000",
        "host": f"{next(iter(MANAGEMENT))}:22",
        "username": USER,
        "password": PASSWORD,
    }
    folder = f"/{PROVISIONER}/config"
    machine.put(f"{folder}/instorage.yaml", json.dumps({"storage": [storage]}), 0o640)
    machine.put(f"{folder}/kubeconfig", json.dumps(kubeconfig(world, provisioner.token)), 0o640)
    machine.run(f"chgrp {UNIT} {folder}/*; install -d -o {UNIT} -g {UNIT} -m 700 /var/lib/{UNIT}")
    machine.put(f"/var/lib/{UNIT}/volume.key", provisioner.key, 0o600)
    machine.run(f"chown {UNIT}: /var/lib/{UNIT}/volume.key; systemctl daemon-reload")
    machine.run(f"restorecon -R /{PROVISIONER} /var/lib/{UNIT}", timeout=300)


@in_turn(1, 2)
def test_the_unit_takes_over_and_serves_claims_and_its_journal_has_fields(
    world: World, provisioner: Provisioner
) -> None:
    machine = world.products["b"].machine
    install(world, provisioner)
    machine.run(f"systemctl start {UNIT}", timeout=300)
    assert domain(machine, f"{UNIT}.service", 60) == "instorage_provisioner_t"
    assert machine.run(f"systemctl is-active inspur-{UNIT}", check=False).stdout.strip() in (
        "active",
        "inactive",  # the manual's name is an alias once the unit is enabled
    )
    provisioner.stop()
    try:
        until(lambda: "This provisioner works" in said(world), "the unit's provisioner works", TAKE_OVER)
        until(lambda: 'Status: "working"' in status(world), "its status says so, too", TAKE_OVER)
        assert "Active: active (running)" in status(world)
        claim = world.claim()
        lines = machine.run(f"journalctl -u {UNIT} -o json --no-pager").stdout.splitlines()
        assert any(claim in json.loads(line).get("MESSAGE", "") for line in lines)
    finally:
        provisioner.start()
        machine.run(f"systemctl stop {UNIT}", timeout=120)
    assert machine.run(f"systemctl show -P Result {UNIT}").stdout.strip() == "success"
    assert "Active: inactive (dead)" in status(world)


def said(world: World) -> str:
    return world.products["b"].machine.run(f"journalctl -u {UNIT} -o cat --no-pager").stdout


def status(world: World) -> str:
    """What an administrator sees where no event of ours comes."""
    return world.products["b"].machine.run("systemctl status instorage-provisioner", check=False).stdout
