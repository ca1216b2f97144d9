"""The installed product: no secret anywhere but where it belongs, and a helper that knows its arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.helper_rig import AS_AGENT, CLIENT
from tests.lab.node.conftest import make_volume, node, node_is_left_clean
from tests.soak import in_turn
from tools.lab.kubelet import Kubelet
from tools.lab.product import CONFIGURATION, PASSWORD

if TYPE_CHECKING:
    from tests.lab.node.conftest import MakeVolume
    from tools.lab import Machine
    from tools.lab.product import Product
    from tools.lab.san import San

__all__ = ["make_volume", "node", "node_is_left_clean"]
pytestmark = [pytest.mark.lab, in_turn(1, 2)]

ROOT = Path(__file__).parents[3]
WRONG = "Wrong-passw0rd-marker"
PLANTED = "planted-marker"
SEARCH = """
# the words looked for are in a file, not in an argument: this script would find itself
journalctl -b --no-pager -o export > /tmp/journal.export
grep -l -a -r -F -f /tmp/markers /tmp/journal.export /var/log /var/lib/instorage /var/lib/instorage-helper \
  /var/lib/systemd /run/instorage /run/systemd /etc/instorage {plugin}/log /tmp/answers 2>/dev/null
for file in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do
  tr '\\0' '\\n' 2>/dev/null < $file | grep -q -F -f /tmp/markers && echo $file
done
find / -xdev -name 'core*' -newer /tmp/begun -type f 2>/dev/null | xargs -r grep -l -a -F -f /tmp/markers
true
"""


def searched(node: Machine, *markers: str) -> str:
    """Return the files and processes of the node in which one of the words stands."""
    node.put("/tmp/markers", "".join(f"{marker}\n" for marker in markers))
    script = SEARCH.format(plugin=CONFIGURATION.rpartition("/config/")[0])
    return node.run(script, timeout=120).stdout


def test_no_password_in_journal_argv_environment_core_or_answer(
    product: Product, node: Machine, san: San, make_volume: MakeVolume
) -> None:
    node.run("mkdir -p /tmp/answers; touch /tmp/begun; sysctl -q kernel.core_pattern=/tmp/core.%p")
    kubelet = Kubelet(node, make_volume())
    answers = [*kubelet.start_pod(), *kubelet.end_pod()]
    assert all(answer.success for answer in answers)
    product.password = WRONG
    product.configure()
    refused = Kubelet(node, make_volume()).call("waitforattach")
    assert not refused.success
    broken = node.read(CONFIGURATION).decode().replace('"storage"', '"storages"')
    node.put(CONFIGURATION, broken, 0o640)
    node.run(f"chown root:instorage-agent {CONFIGURATION}")
    answers += [refused, Kubelet(node, make_volume()).call("waitforattach")]
    node.put("/tmp/answers/planted", f"x{PLANTED}x")
    node.put("/tmp/answers/answers", json.dumps([answer.answer for answer in answers]))
    node.run(
        "systemctl kill -s ABRT --kill-whom=main instorage-nodeagent; "
        "for i in $(seq 100); do systemctl is-active -q instorage-nodeagent && break; sleep 0.2; done"
    )
    found = searched(node, PASSWORD, WRONG, PLANTED).split()
    product.password = PASSWORD
    product.configure()
    assert "/tmp/answers/planted" in found, "the search finds nothing"
    assert found == ["/tmp/answers/planted"], "a password is elsewhere too"


def test_a_name_with_line_breaks_makes_no_record_of_its_own(node: Machine) -> None:
    forged = "pvc-1\nMESSAGE=forged\n_SYSTEMD_UNIT=sshd.service"
    options = json.dumps({"kubernetes.io/pvOrVolumeName": forged, "kubernetes.io/readwrite": "rw"})
    stub = f"{CONFIGURATION.rpartition('/config/')[0]}/instorage-flexvolume"
    for argv in (["waitforattach", "", options], ["unmount", f"/var/lib/kubelet/pods/{forged}"], [forged]):
        node.run([stub, *argv], check=False)
    node.put(CLIENT, (ROOT / "tests/lab/helper_client.py").read_bytes())
    call = json.dumps([["Unmount", {"op": "test1", "target": f"/x/{forged}"}]])
    node.run([*AS_AGENT, "/usr/bin/python3", "-SEs", CLIENT, call], check=False)
    records = [
        json.loads(line)
        for line in node.run("journalctl -b -q -o json --no-pager", timeout=60).stdout.splitlines()
    ]
    ours = [one for one in records if "instorage" in str(one.get("_SYSTEMD_UNIT"))]
    assert ours
    assert not [one for one in records if one.get("MESSAGE") == "forged"]
    assert not [one for one in ours if not isinstance(one.get("MESSAGE"), str) or "\n" in one["MESSAGE"]]


def test_a_pinned_helper_takes_its_arrays_volumes_and_no_array_of_the_agents_own(
    product: Product, node: Machine, make_volume: MakeVolume
) -> None:
    volume = make_volume()
    said = node.run("instoragectl pin --dry-run", timeout=120).stdout
    assert "+allowed_portals = 10.9.0.1:3260 10.9.1.1:3260" in said
    assert node.run("test -e /etc/instorage/helper.conf", check=False).exit_status != 0
    node.run("instoragectl pin && systemctl stop instorage-helper.service", timeout=120)
    assert node.run("stat -c '%U %a' /etc/instorage/helper.conf").stdout.strip() == "root 644"
    try:
        kubelet = Kubelet(node, volume)
        assert all(answer.success for answer in (*kubelet.start_pod(), *kubelet.end_pod()))
        node.put(CLIENT, (ROOT / "tests/lab/helper_client.py").read_bytes())
        path = {"portal": "10.9.0.66:3260", "target": "iqn.2004-12.com.inspur:evil", "lun": 0}
        attach = {"op": "evil1", "uid": "6" + "e" * 31, "size": 1 << 30, "paths": [path]}
        call = json.dumps([["Attach", {**attach, "multipath": "preferred", "wait_ms": 5000}]])
        (answer,) = json.loads(node.run([*AS_AGENT, "/usr/bin/python3", "-SEs", CLIENT, call]).stdout)
        assert answer["parameters"]["code"] == "not-allowed"
        assert "evil" not in node.run("ls -R /etc/iscsi /var/lib/iscsi 2>/dev/null", check=False).stdout
    finally:
        node.run("rm -f /etc/instorage/helper.conf; systemctl stop instorage-helper.service")
