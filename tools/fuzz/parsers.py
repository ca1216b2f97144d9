"""What arrays and administrators write: an array's answers and the two configuration files, mutated."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from helper import settings
from instorage.arrays.as18000 import As18000, holder, hosts, identity, mapping, pools, targets, volumes
from instorage.arrays.as18000.ip_ports import IpPorts
from instorage.arrays.as18000.session import hesitation
from instorage.arrays.as18000.session.cli import Cli
from instorage.arrays.as18000.session.refusal import Output
from instorage.arrays.endpoint import Endpoint, Limits
from instorage.arrays.model import Initiator, VolumeSpec
from instorage.configuration import sample
from instorage.configuration import settings as configuration
from instorage.volume_name import VolumeName
from instorage.wire.fault import Fault
from instorage.wire.values import Bytes, Iqn, VolumeUid
from simulator.array import Settings, Simulator
from tools.fuzz import mutation
from tools.fuzz.result import FoundError, Result, Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

NAME = VolumeName(mutation.NAME)
HOST = "iscsi-node1"
HELPER_CONF = (
    b"[helper]\nkubelet_roots = /var/lib/kubelet\nlock_path = /x\nmultipath = required\nallowed_portals = a\n"
)


class Recorded(Cli):
    """A command line that answers with what was recorded, mutated."""

    def __init__(self, answers: dict[str, str], random: Random) -> None:
        super().__init__("storage-01", None, Limits())  # type: ignore[arg-type]
        self._answers, self._random = answers, random
        self.last = b""

    def _repeated(self, command: str) -> Output:
        text = self._answers.get(command.split()[1], "").encode()
        if self._random.random() < 0.8:
            text = mutation.mutated(text, self._random, [one.encode() for one in self._answers.values()])
        self.last = text
        status = self._random.choice((0, 0, 0, 0, 1))
        error = self._random.choice(("", "CMMVC5804E x", "CMMVC\x1b[1E", "\n")) if status else ""
        return Output(status, text.decode("utf-8", "replace"), error)


def recorded() -> dict[str, str]:
    """Return what a simulated array answers to each query, volumes and mappings included."""
    answers: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        with Simulator(Settings(directory / "state", directory / "control")) as running:
            address, _, port = running.address.rpartition(":")
            endpoint = Endpoint("storage-01", address, int(port), "superuser", lambda: "passw0rd")
            array = As18000(endpoint, directory / "known_hosts")
            cli = array._cli
            asked = cli._repeated

            def listening(command: str) -> Output:
                output = asked(command)
                if output.stdout:
                    answers[command.split()[1]] = output.stdout
                return output

            cli._repeated = listening  # type: ignore[method-assign]
            array.create_volume(VolumeSpec(NAME, Bytes(1 << 30), ("Pool0",)))
            initiator = Initiator(iqn=Iqn("iqn.1993-08.org.debian:01:node1"))
            array.ensure_host(initiator, link="iscsi", names=(HOST,))
            array.map_volume(NAME, HOST)
            for query in QUERIES:
                query(cli)
            array.close()
    return answers


QUERIES: tuple[Callable[[Cli], object], ...] = (
    lambda cli: targets.read(cli, IpPorts()),
    lambda cli: identity.read(cli, IpPorts()),
    lambda cli: volumes.find(cli, NAME),
    lambda cli: volumes.find_by_uid(cli, VolumeUid(mutation.UID)),
    lambda cli: volumes.usage(cli, NAME),
    lambda cli: pools.find(cli, "Pool0"),
    lambda cli: mapping.of_volume(cli, NAME),
    lambda cli: mapping.of_host(cli, HOST),
    lambda cli: hosts.find(cli, HOST),
    hosts.sites,
    lambda cli: holder.search(cli, frozenset(("iqn.1993-08.org.debian:01:node1",)), width=1),
)


def array(random: Random, wanted: int, _: Path) -> Result:
    """Read mutated answers with every reader of the array client."""
    result = Result("array")
    cli = Recorded(recorded(), random)
    watch = Watch(result, os.getpid(), wanted)
    before, hesitation.LOOK_AGAIN = hesitation.LOOK_AGAIN, 0.0
    try:
        while result.messages < wanted:
            _refuses_only(lambda: random.choice(QUERIES)(cli), lambda: cli.last, result)
            watch.tick()
    finally:
        hesitation.LOOK_AGAIN = before
    return watch.end()


def files(random: Random, wanted: int, directory: Path) -> Result:
    """Load mutated configurations, the agent's and the helper's."""
    result, path = Result("configuration"), directory / "config" / "instorage.yaml"
    path.parent.mkdir()
    before = settings.FILES
    setattr(settings, "FILES", (str(path),))  # noqa: B010  # its type is of exactly two names
    watch = Watch(result, os.getpid(), wanted)
    samples = [sample.SAMPLE_18000.encode(), sample.SAMPLE_13000.encode(), HELPER_CONF]
    try:
        while result.messages < wanted:
            data = mutation.mutated(random.choice(samples), random, samples)
            path.write_bytes(data)
            _refuses_only(lambda: configuration.load(path), lambda data=data: data, result)  # type: ignore[misc]
            _refuses_only(settings.load, lambda data=data: data, result)  # type: ignore[misc]
            watch.tick()
    finally:
        settings.FILES = before
    return watch.end()


def _refuses_only(read: Callable[[], object], last: Callable[[], bytes], result: Result) -> None:
    try:
        read()
        result.begun += 1
    except Fault as fault:
        if not str(fault).isprintable():
            raise FoundError(f"a sentence with control characters: {str(fault)!r}", last()) from fault
        result.codes[fault.code] += 1
    except Exception as error:
        raise FoundError(f"{type(error).__name__} instead of a Fault: {error}", last()) from error
