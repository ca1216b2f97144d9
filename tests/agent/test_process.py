"""The agent as systemd runs it: its own process, sockets passed in, killed at any time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import NODE, device_target, options, pod_target, until

if TYPE_CHECKING:
    from tests.agent.service import Service

pytestmark = [pytest.mark.subprocess, pytest.mark.slow]


def test_it_answers_on_both_sockets(service: Service) -> None:
    service.start()
    bench = service.bench
    bench.call("init").success()
    bench.create("vol1")
    bench.attach("vol1").success()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(bench.directory / "plugin/.agent.sock"))
    connection.sendall(b"unmount\0" + pod_target("vol1").encode() + b"\0")
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(10)
    data = b""
    while piece := connection.recv(4096):
        data += piece
    connection.close()
    assert b'0{"status": "Success"}' in data


@pytest.mark.parametrize("verb", ["Lock", "Attach"])
def test_a_kill_within_an_attach_converges_with_the_retry(service: Service, verb: str) -> None:
    bench = service.bench
    process = service.start()
    uid = bench.create("vol1")
    gate = threading.Event()
    script = bench.helper.script(verb, gate=gate)
    bench.begin("waitforattach", NODE, options("vol1"))
    assert script.reached.wait(20)
    process.kill()
    process.wait(10)
    gate.set()
    waiting = bench.begin("waitforattach", NODE, options("vol1"))
    service.start()
    waiting.reply().success()
    bench.mount_device("vol1").success()
    assert list(bench.records()) == [uid]
    bench.call("unmountdevice", device_target("vol1")).success()
    assert bench.maps("vol1") == []
    assert bench.records() == {}


@pytest.mark.parametrize("verb", ["Attach", "Detach"])
def test_a_kill_is_settled_without_any_further_call(service: Service, verb: str) -> None:
    bench = service.bench
    process = service.start()
    bench.create("vol1")
    gate = threading.Event()
    script = bench.helper.script(verb, gate=gate)
    stub = bench.begin("waitforattach", NODE, options("vol1"))
    if verb != "Attach":
        stub.reply().success()
        bench.begin("unmountdevice", device_target("vol1"))
    assert script.reached.wait(20)
    process.kill()
    process.wait(10)
    gate.set()
    service.start(rest=0.2)
    until(lambda: not bench.maps("vol1") and not bench.records() and not bench.helper.devices)


def test_a_term_lets_a_call_end_and_keeps_those_that_wait(service: Service) -> None:
    bench = service.bench
    process = service.start()
    bench.create("vol1")
    gate = threading.Event()
    script = bench.helper.script("Attach", gate=gate)
    stub = bench.begin("waitforattach", NODE, options("vol1"))
    assert script.reached.wait(20)
    process.send_signal(signal.SIGTERM)
    service.hear("STOPPING=1")
    late = bench.begin("unmount", pod_target("vol1"))
    gate.set()
    stub.reply().success()
    assert process.wait(10) == 0
    assert not late.answered
    service.start()
    late.reply().success()


def test_the_watchdog_is_fed_by_the_loop_that_accepts(service: Service) -> None:
    process = service.start(WATCHDOG_USEC="600000")
    for _ in range(3):
        service.hear("WATCHDOG=1")
    process.send_signal(signal.SIGSTOP)
    service.notified.settimeout(0.7)
    with contextlib.suppress(TimeoutError):
        for _ in range(3):  # one or two may have been under way
            service.hear("WATCHDOG=1")
        pytest.fail("a stopped loop feeds the watchdog")
    process.send_signal(signal.SIGCONT)


def test_without_a_socket_it_says_what_to_start(service: Service) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nodeagent"], env={"PATH": "/usr/bin"},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "instorage-node.target" in done.stderr


def test_memory_stays_below_sixty_mib_and_an_idle_agent_sleeps(service: Service) -> None:
    bench = service.bench
    process = service.start()
    for number in range(20):
        bench.create(f"vol{number}")
    stubs = [bench.begin("waitforattach", NODE, options(f"vol{number}")) for number in range(20)]
    for stub in stubs:
        stub.reply().success()
    for number in range(20):
        bench.mount_device(f"vol{number}").success()
    assert status(process.pid, "VmRSS") < 60 * 1024
    bench.reset()
    before = switches(process.pid)
    time.sleep(2)  # the measurement itself: what happens while nobody asks for anything
    assert switches(process.pid) - before <= 60
    assert bench.commands() == []


def status(pid: int, field: str) -> int:
    """A number of /proc/PID/status (memory in KiB)."""
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def switches(pid: int) -> int:
    """Voluntary context switches of all threads: how often something woke up."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            total += status(int(task), "voluntary_ctxt_switches")
    return total


def test_no_secret_and_no_forged_line_in_the_log(service: Service) -> None:
    bench = service.bench
    bench.configure(password="passw0rd")
    service.start()
    bench.create("vol1")
    secret = {"kubernetes.io/secret/password": "S3CRETMARK"}
    bench.attach("vol1", options("vol1", **secret)).success()
    bench.attach("vol1", options("vol1", storageName="x\nCRITICAL forged")).failure()
    bench.call("waitforattach\nCRITICAL forged", "S3CRETMARK")
    text = service.log()
    assert "waitforattach: Success" in text
    assert "S3CRETMARK" not in text
    assert "passw0rd" not in text
    assert not [line for line in text.splitlines() if line.startswith("CRITICAL")]


def test_log_files_are_written_where_the_configuration_says(service: Service) -> None:
    bench = service.bench
    logs = bench.directory / "logs"
    path = bench.paths.configuration
    path.write_text(
        f"log:\n  enabled: true\n  logdir: {logs}\n  logrotatemaxsize: 2K\n  level: debug\n"
        + path.read_text()
    )
    service.start()
    bench.create("vol1")
    for _ in range(4):
        bench.attach("vol1").success()
    names = sorted(file.name for file in logs.iterdir())
    assert names[0] == "instorage-nodeagent.log"
    assert len(names) > 1
    assert len(names) <= 6
    assert "vol1" in (logs / names[0]).read_text()


@pytest.mark.root
def test_another_user_gets_no_answer_and_root_still_does(service: Service) -> None:
    bench = service.bench
    service.start()
    os.chmod(bench.directory, 0o755)
    os.chmod(bench.socket, 0o777)
    program = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX);"
        "s.connect(sys.argv[1]);"
        "\ntry: s.sendall(b'init\\0'); s.shutdown(1); print(s.recv(100))"
        "\nexcept OSError: print(b'')"
    )
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program, str(bench.socket)],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == "b''"
    bench.call("init").success()
    assert "uid 65534" in service.log()
