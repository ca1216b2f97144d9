"""The cluster's commands of docs/install.md, by a true kubectl: the account's access, and a first claim."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from provisioner.cluster import CLASSES, VOLUMES
from tests.docs.commands import all_commands
from tests.docs.markdown import of_language
from tests.packaging.archive import put
from tests.packaging.pages import block
from tests.provisioner.program import until
from tests.provisioner.test_deploy import dropped
from tests.provisioner.world import World
from tools.dist import plugin
from tools.install import ROOT
from tools.kube import build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provisioner.cluster import Cluster
    from tools.kube.control_plane import ControlPlane

    Type = Callable[[str], str]

pytestmark = [pytest.mark.kube, pytest.mark.subprocess, pytest.mark.usefixtures("leaves_no_pv")]
PATHS_OF = {
    "StorageClass": CLASSES,
    "PersistentVolume": VOLUMES,
    "PersistentVolumeClaim": "/api/v1/namespaces/default/persistentvolumeclaims",
    "Pod": "/api/v1/namespaces/default/pods",
}
# The administrator writes his pool, and waits for the claim before he looks at it.
PLAYED = {
    "vi": "sed -i 's/Pool1/Pool0/' \"$1\"",
    "kubectl": """\
case "$*" in
    'describe pvc first')
        until [ "$(REAL get pvc first -o jsonpath={.status.phase})" = Bound ]; do sleep 0.1; done ;;
esac
exec REAL "$@"
""",
}


@pytest.fixture
def typed(plane: ControlPlane, tmp_path: Path) -> Type:
    """Types commands as an administrator of the cluster, in the folder of an archive."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    plugin.write(tmp_path / plugin.NAME)
    real = str(build.program("kubectl"))
    programs = {name: f"#!/bin/sh\n{does}\n".replace("REAL", real) for name, does in PLAYED.items()}
    put(tmp_path / "bin", programs, 0o755)
    environment = {
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "KUBECONFIG": str(plane.kubeconfig("admin")),
    }

    def run(commands: str) -> str:
        done = subprocess.run(
            ["sh", "-euc", commands], cwd=tmp_path, env=environment, timeout=50, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def served(api: Cluster, typed: Type, tmp_path: Path) -> Iterator[World]:
    """An array, and a provisioner with nothing but what the page gave it."""
    typed(block("account"))
    kubeconfig = tmp_path / "kubeconfig"
    assert os.stat(kubeconfig).st_mode & 0o777 == 0o600
    world = World(api, kubeconfig, tmp_path)
    world.array()
    world.start("-provisioner-name", "inspur/instorage").says("Array storage-01 has 0 volume(s)")
    yield world
    world.close()
    print(world.programs[0].log[-4000:])


def test_a_first_claim_has_its_volume_until_it_is_deleted(served: World, typed: Type, tmp_path: Path) -> None:
    said = typed(block("first-claim"))
    assert re.search(r"Status: +Bound", said)
    assert "pod/first created" in said
    why = block("kubectl-plugin", **{"/usr/local/bin": f"{tmp_path}/bin"}).strip()
    assert "Pod default/first" in typed(f"{why} || [ $? = 1 ]"), "it waits: no kubelet is here"
    assert re.search(
        r"^default/first .* storage-01 +Pool0 ", typed("kubectl instorage volumes -n default"), re.MULTILINE
    )
    node = served.api.create(
        "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "mute"}}
    )
    assert "mute: no report. On it: systemctl" in typed("kubectl instorage doctor || :")
    served.api.delete("/api/v1/nodes/mute", node["metadata"]["uid"])
    typed(block("first-claim-removal"))
    (made,) = [one["line"] for one in served.do("log") if "mkvdisk" in one["line"]]
    assert "Pool0" in made
    until(lambda: served.names() == [], 40, "the volume goes with its claim")


def test_a_claim_is_enlarged_looked_at_and_kept_as_the_pages_type_it(served: World, typed: Type) -> None:
    """What stands beside a server's answer is kubelet's part: tests/lab/kube/test_growth.py."""
    typed(block("first-claim"))
    enlarge, watch, look, keep = (
        line(begin) for begin in ("patch pvc", "get pvc", "describe pvc", "patch pv ")
    )
    typed(enlarge.replace("NAME", "first"))
    asked = typed("kubectl get pvc first -o jsonpath={.spec.resources.requests.storage}")
    assert asked == "20Gi"
    assert "first" in typed(f"timeout 2 {watch.replace('NAME', 'first')} || [ $? = 124 ]")
    assert re.search(r"Status: +Bound", typed(look.replace("NAME", "first")))
    name = typed("kubectl get pvc first -o jsonpath={.spec.volumeName}")
    typed(keep.replace("NAME", name))
    typed(block("first-claim-removal"))
    gone = f"kubectl get pv {name} -o jsonpath={{.status.phase}}"
    until(lambda: typed(gone) == "Released", 40, "the PV is let go")
    assert served.names() == [name], "its volume is kept"
    typed(f"kubectl delete pv {name}")


def line(begin: str) -> str:
    """The one command of the pages that begins so."""
    (found,) = (
        command for command in all_commands() if command.startswith(f"kubectl {begin}") and "NAME" in command
    )
    return found


def test_a_server_takes_every_object_of_the_pages_whole(api: Cluster) -> None:
    objects = [
        (f"{fence.page}:{fence.line}", document)
        for fence in of_language("yaml")
        for document in yaml.safe_load_all(fence.text)
        if "kind" in document
    ]
    assert len(objects) >= 8
    for place, document in objects:
        document["metadata"]["name"] += ".try"
        if document["kind"] == "Pod":  # else the server adds a volume with its account's token
            document["spec"]["automountServiceAccountToken"] = False
        path = PATHS_OF[document["kind"]]
        assert dropped(document, api.create(f"{path}?dryRun=All", document)) == [], place


def test_a_node_is_drained_and_comes_back_as_the_pages_type_it(api: Cluster, typed: Type) -> None:
    """Of a node without a kubelet, whose pods none would end: that both are taken, and what they set."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "of-the-pages"}}
    api.create("/api/v1/nodes", node)
    for begin, cordoned in (("drain", "true"), ("uncordon", "")):
        (command,) = (one for one in all_commands() if one.startswith(f"kubectl {begin} NODE"))
        typed(command.replace("NODE", "of-the-pages"))
        assert typed("kubectl get node of-the-pages -o jsonpath={.spec.unschedulable}") == cordoned
    typed("kubectl delete node of-the-pages")


def test_the_clusters_part_is_removed_by_one_command(served: World, typed: Type) -> None:
    """Without doing it: other tests have the account."""
    said = typed(block("account-removal").replace("delete ", "delete --dry-run=server "))
    assert 'clusterrole.rbac.authorization.k8s.io "instorage-provisioner" deleted (server dry run)' in said


def test_without_an_account_that_is_said(typed: Type, tmp_path: Path) -> None:
    script = tmp_path / "deploy/kubeconfig.sh"
    script.write_text(script.read_text().replace("tries=30", "tries=1").replace("provisioner-token", "other"))
    done = typed("sh deploy/kubeconfig.sh 2>&1 >kubeconfig || :")
    assert "the Secret instorage-other in kube-system has no token: kubectl apply -f" in done


def test_an_address_that_the_provisioners_host_cannot_reach_is_said_and_another_one_taken(
    served: World, typed: Type
) -> None:
    """The kubectl of an administrator may go through a tunnel on his own machine."""
    said = typed("sh deploy/kubeconfig.sh 2>&1 >kubeconfig")
    assert "is this machine itself" in said
    assert "kubeconfig.sh https://HOST:6443" in said
    assert typed("sh deploy/kubeconfig.sh https://api.example.org:6443 2>&1 >kubeconfig") == ""
    assert 'server: "https://api.example.org:6443"' in typed("cat kubeconfig")
