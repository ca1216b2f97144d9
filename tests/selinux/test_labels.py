"""Each file and socket gets the type of what it is, in the usual directories and in others."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.install import LIBRARY, PLUGIN, PROVISIONER
from tools.lab.policy import SOURCES, built
from tools.selinux.linked import store

if TYPE_CHECKING:
    from tools.selinux.linked import Linked

VERSION = f"/{LIBRARY}/3.0.0.2"
USUAL = (f"/{PLUGIN}", f"/{PROVISIONER}")
OTHER = ("/var/lib/k8s+1/exec/inspur~instorage-flexvolume", "/srv/in.storage/inspur-instorage-provisioner")
PLUGIN_LABELS = {
    ("", "d"): "instorage_plugin_t",
    ("/instorage-flexvolume", "-"): "instorage_stub_exec_t",
    ("/aa-extend-failure.barrier", "-"): "instorage_plugin_t",
    ("/config", "d"): "instorage_conf_t",
    ("/config/instorage.yaml", "-"): "instorage_conf_t",
    ("/log/instorage-nodeagent.log", "-"): "instorage_log_t",
    ("/.agent.sock", "s"): "instorage_agent_socket_t",
}
FOLDER_LABELS = {
    ("/instorage-provisioner", "-"): "instorage_provisioner_exec_t",
    ("/instoragectl", "-"): "bin_t",
    ("/python-3.0.0/bin/python3.11", "-"): "bin_t",
    ("/python-3.0.0/lib/python3.11/site-packages/x.so", "-"): "lib_t",
    ("/config/kubeconfig", "-"): "instorage_provisioner_conf_t",
    ("/log/x", "-"): "instorage_log_t",
}
ELSEWHERE = {
    (f"{VERSION}/libexec/instorage-nodeagent", "-"): "instorage_agent_exec_t",
    (f"{VERSION}/libexec/instorage-helper", "-"): "instorage_helper_exec_t",
    (f"{VERSION}/libexec/instorage-helper-thaw", "-"): "instorage_helper_exec_t",
    (f"{VERSION}/libexec/instorage-helper-defaults", "-"): "instorage_helper_exec_t",
    (f"{VERSION}/libexec/instorage-helper-shutdown", "-"): "instorage_shutdown_exec_t",
    (f"{VERSION}/libexec/instorage-ext", "-"): "instorage_ext_exec_t",
    (f"{VERSION}/libexec/instoragectl", "-"): "bin_t",
    (f"{VERSION}/libexec/instorage-report", "-"): "bin_t",
    (f"{VERSION}/bin/python3.11", "-"): "bin_t",
    (f"{VERSION}/lib/python3.11/os.py", "-"): "lib_t",
    ("/etc/instorage/places", "-"): "instorage_conf_t",
    ("/etc/instorage/shadow.key", "-"): "instorage_key_t",
    ("/etc/instorage/storage-01.password", "-"): "instorage_key_t",
    ("/var/lib/instorage/volumes/6005", "-"): "instorage_agent_state_t",
    ("/var/lib/instorage-helper/aa/6005", "-"): "instorage_helper_state_t",
    ("/var/lib/instorage-provisioner/volume.key", "-"): "instorage_provisioner_state_t",
    ("/var/log/inspurlog", "d"): "instorage_log_t",
    ("/run/instorage/agent.sock", "s"): "instorage_agent_socket_t",
    ("/run/instorage/helper.sock", "s"): "instorage_helper_socket_t",
    ("/run/instorage/volumes/6005", "-"): "instorage_lock_t",
    ("/run/instorage/host.lock", "-"): "instorage_lock_t",
    ("/run/instorage/helper-defaults.conf", "-"): "instorage_runtime_t",
    ("/usr/sbin/iscsiadm", "-"): "iscsid_exec_t",
    ("/usr/sbin/multipath", "-"): "lvm_exec_t",
    ("/etc/iscsi/nodes/iqn/10.0.0.1,3260,1/default", "-"): "iscsi_var_lib_t",
    ("/etc/iscsi/initiatorname.iscsi", "-"): "etc_t",
    ("/etc/iscsi", "d"): "iscsi_var_lib_t",
    ("/etc/multipath/wwids", "-"): "lvm_metadata_t",
}
KINDS = {"-": "file", "d": "dir", "s": "socket"}


def label(policy: Linked, path: str, kind: str) -> str:
    """The type that `restorecon` would give."""
    argv = ["/usr/sbin/matchpathcon", "-n", "-f", str(policy.contexts), "-m", KINDS[kind], path]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip().split(":")[2]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Linked:
    """The policy of a host on which both directories lie elsewhere, as load.sh describes them."""
    root = tmp_path_factory.mktemp("moved")
    places = root / "places"
    places.write_text(f"INSTORAGE_PLUGIN={OTHER[0]}\nINSTORAGE_PROVISIONER={OTHER[1]}\n")
    argv = ["/bin/sh", str(SOURCES / "load.sh"), "labels"]
    environment = {"INSTORAGE_PLACES_FILE": str(places), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=True)
    (root / "instorage_places.cil").write_text(done.stdout)
    policy = store(root / "root")
    (root / "out").mkdir()
    policy.add(built(root / "out"), root / "instorage_places.cil")
    return policy


def test_what_is_laid_down_in_the_usual_directories_is_labelled(linked: Linked) -> None:
    wanted = {
        **{(USUAL[0] + path, kind): found for (path, kind), found in PLUGIN_LABELS.items()},
        **{(USUAL[1] + path, kind): found for (path, kind), found in FOLDER_LABELS.items()},
        **ELSEWHERE,
    }
    assert {key: label(linked, *key) for key in wanted} == wanted


def test_what_is_laid_down_elsewhere_is_labelled_alike(moved: Linked) -> None:
    wanted = {
        **{(OTHER[0] + path, kind): found for (path, kind), found in PLUGIN_LABELS.items()},
        **{(OTHER[1] + path, kind): found for (path, kind), found in FOLDER_LABELS.items()},
    }
    assert {key: label(moved, *key) for key in wanted} == wanted


def test_a_dot_in_a_directorys_name_stands_for_itself(moved: Linked) -> None:
    folder = OTHER[1].replace("in.storage", "in_storage")
    assert label(moved, f"{folder}/instorage-provisioner", "-") != "instorage_provisioner_exec_t"


@pytest.mark.parametrize("path", ["/srv/x\ny/inspur~instorage-flexvolume", '/a"(b/c', "relative/place"])
def test_a_place_that_no_installer_wrote_makes_no_rule(tmp_path: Path, path: str) -> None:
    places = tmp_path / "places"
    places.write_text(f"INSTORAGE_PLUGIN={path}\n")
    argv = ["/bin/sh", str(Path(SOURCES) / "load.sh"), "labels"]
    environment = {"INSTORAGE_PLACES_FILE": str(places), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "(b" not in done.stdout
    assert "relative" not in done.stdout
    assert "\ny" not in done.stdout
