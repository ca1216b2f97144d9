"""What the journal says when something is wrong from the start: once, and with the mend."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.agent.bench import NODE, Bench, options, until
from tests.agent.service import Service
from tests.agent.test_helper_defaults import CONFIGURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.subprocess


@pytest.fixture
def service(directory: Path, portal: Callable[[], str]) -> Iterator[Service]:
    made = Service(Bench(directory, {1: portal()}))
    yield made
    made.close()
    made.bench.close()


@pytest.fixture
def hanging_up() -> Iterator[int]:
    """A port that takes connections and drops them before a banner, as an array that is too busy does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                listener.accept()[0].close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def test_a_missing_configuration_is_said_once(service: Service) -> None:
    service.bench.paths.configuration.unlink()
    service.start()
    until(lambda: "could not be compared" in service.log())
    said = [line for line in service.log().splitlines() if "cannot be read (No such file" in line]
    assert len(said) == 1
    assert "bad-configuration] " in said[0]
    assert "ERROR" in said[0]
    assert service.log().count("the configuration cannot be used") == 3
    service.hear_status("cannot be read (No such file")


def test_a_connection_that_is_dropped_leaves_no_traceback_of_a_library(
    service: Service, hanging_up: int
) -> None:
    bench = service.bench
    text = bench.paths.configuration.read_text()
    bench.write_configuration(text.replace(f"127.0.0.1:{bench.port}", f"127.0.0.1:{hanging_up}"))
    service.start()
    call = bench.begin("waitforattach", NODE, options("vol1"))
    call.reply(90).failure("is dropped before the login")  # which it repeats for half a minute
    assert "dropped before the login" in service.log()
    assert "Traceback" not in service.log()
    assert "Exception (client)" not in service.log()


LOOKER = """
import os, sys
from pathlib import Path
from instorage.configuration.settings import load
from instorage.wire.fault import Fault
from nodeagent.expansion import barrier
path = Path(sys.argv[1])
found = load(path)
if os.geteuid() == 0:
    os.setuid(65534)
print("open", flush=True)
sys.stdin.readline()
for look in (lambda: barrier.present(found), lambda: load(path)):
    try:
        look()
    except Fault as fault:
        print(fault.sentence)
"""


def test_a_plugin_folder_that_the_agent_may_not_enter_is_named_with_the_mode(directory: Path) -> None:
    """Manual 2.1: chmod 755 on the folder, else the call fails."""
    plugin = directory / "plugin"
    path = plugin / "config/instorage.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(CONFIGURATION)
    directory.chmod(0o755)  # of its own below /tmp, which everybody may enter
    with subprocess.Popen(
        [sys.executable, "-c", LOOKER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as looker:  # fmt: skip
        assert looker.stdin is not None
        assert looker.stdout is not None
        assert looker.stdout.readline() == "open\n"
        plugin.chmod(0o600)
        said = looker.communicate("\n", timeout=30)[0].splitlines()
        plugin.chmod(0o755)
    mend = f"its directory {plugin} is closed to the user of this service: chmod 755 '{plugin}'."
    file = plugin / "aa-extend-failure.barrier"
    assert said == [
        f"The node agent cannot look for the barrier file {file} (Permission denied): {mend}",
        f"{path}: the configuration cannot be read (Permission denied): {mend}",
    ]
