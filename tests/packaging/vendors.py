"""What the vendor's K8sPlugin V2.1.0 leaves on a host, as its manual shows it (2.1, 3.3, 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.packaging.archive import FOLDER, put
from tools.install import PLUGIN

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """\
log:
  enabled: true
  logdir: log
host:
  link: iscsi
storage:
- name: storage-01
  type: AS18000
  host: 10.0.0.1:22
  username: username
  password: password
  shadow: ""
  barrierPath: ""
"""
STORAGE = CONFIGURATION[CONFIGURATION.index("storage:") :]
PROGRAM = """\
#!/bin/sh
# a Go program, of which this is one of many names: inspur.com/storage/instorage-k8s/pkg/utils
case $1 in
    ext-version) echo 'Version: 2.1.0' ;;
    init) echo '{"status":"Success","message":"Plugin init successfully"}' ;;
    *) echo '{"status":"Not supported"}' ;;
esac
"""
UNIT_NAME = "inspur-instorage-provisioner.service"
UNIT = f"""\
[Unit]
Description=Inspur Instorage Kubernetes external provisioner
After=kube-apiserver.service
Requires=kube-apiserver.service

[Service]
ExecStart=/opt/{FOLDER}/instorage-provisioner \\
-kubeconfig=/opt/{FOLDER}/config/kubeconfig \\
-strconfig=/opt/{FOLDER}/config/instorage.yaml \\
-logtostderr=true
Restart=on-failure
KillMode=process

[Install]
WantedBy=multi-user.target
"""
STUB = f"{PLUGIN}/instorage-flexvolume"
LOG = f"{PLUGIN}/log/instorage-flexvolume.node1.root.log.INFO.20210101-000000.1"
TARGET = "iqn.2004-12.com.inspur:mcs.cluster.node1"
ISCSIADM = f"""\
#!/bin/sh
echo "$*" >>/run/iscsiadm.log
case "$*" in
    --version) echo "iscsiadm version $(cat /run/versions/iscsi)" ;;
    '-m session')
        echo 'tcp: [1] 10.0.0.1:3260,1 {TARGET} (non-flash)'
        echo 'tcp: [2] 10.0.0.9:3260,1 iqn.2010-10.org.other:disks (non-flash)'
        ;;
    *' -o update '*) echo "${{*##* }}" >/run/scan ;;
    *) printf 'node.startup = %s\\nnode.session.scan = %s\\n' "$(cat /run/startup)" "$(cat /run/scan)" ;;
esac
"""


def leave_node(root: Path, mode: int = 0o600) -> None:
    """Leave the node's part: the folder of the manual's figure 2-1, a log file, sessions."""
    put(root, {STUB: PROGRAM}, 0o755)
    put(root, {LOG: "I0101 hello\n", f"{PLUGIN}/config/instorage.yaml": CONFIGURATION}, mode)
    put(root / "usr/local/bin", {"iscsiadm": ISCSIADM}, 0o755)
    put(root / "run", {"scan": "auto\n", "startup": "manual\n"}, 0o644)


def leave_provisioner(root: Path, program: bytes) -> None:
    """Leave the provisioner's folder of figure 2-2, and the unit of 4.5."""
    there = root / "opt" / FOLDER
    put(there / "config", {"instorage.yaml": STORAGE, "kubeconfig": "of an administrator\n"}, 0o600)
    (there / "instorage-provisioner").write_bytes(program)
    (there / "instorage-provisioner").chmod(0o755)
    put(root / "usr/lib/systemd/system", {UNIT_NAME: UNIT}, 0o644)
