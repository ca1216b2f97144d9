"""Pods of several namespaces on a node that has host.volumeKey, and volumes signed for them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from instorage.tenancy.adopted import adopted_line
from instorage.tenancy.grant import Grant, SignedGrant
from instorage.tenancy.signature import SigningKey
from tests.agent.bench import NODE, POD, Bench, device_target, options, pod_target
from tests.agent.test_lifecycle import VOLUME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = VOLUME  # of the recorded calls

TEAM, OTHER = "team-a", "team-b"

SECOND = "531a7251-1df7-43a7-b81a-9e1d775a898e"


class Tenants:
    """A node whose configuration lists a provisioner's line, and that provisioner's key."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.key = SigningKey.load(bench.directory / "volume.key")
        self.require(self.key)

    def require(self, *keys: SigningKey, more: str = "") -> None:
        lines = "".join(f"  - {key.public_line}\n" for key in keys)
        self.bench.configure(host=(f"  volumeKey:\n{lines}" if lines else "") + more)

    def adopt(self, *signed: SignedGrant) -> None:
        self.bench.paths.adopted.write_text("# adopted\n\n" + "".join(adopted_line(s) + "\n" for s in signed))

    def signed(self, grant: Grant) -> SignedGrant:
        return SignedGrant(grant, self.key.sign(grant))

    def grant(self, name: str = NAME, **other: str) -> Grant:
        """Make the volume if it is not there; what the provisioner would sign of it, but for `other`."""
        return replace(Grant(name, self.bench.create(name), "storage-01", TEAM), **other)

    def options(self, signed: SignedGrant | None, name: str = NAME, pod: str = "", **more: str) -> str:
        """The options of a call, for a pod of namespace `pod` in mount."""
        if signed is not None:
            grant = signed.grant
            more = {
                "volumeUid": grant.uid,
                "storageName": grant.storage_name,
                "claimNamespace": grant.namespace,
                "signature": signed.signature,
            } | more
        return options(name, **more, **({"kubernetes.io/pod.namespace": pod} if pod else {}))

    def refused(self, text: str, said: str, name: str = NAME, *, but: str = "") -> None:
        """Each call but `but` is refused with that text, and nothing is mapped."""
        for argv in calls(name, text):
            if argv[0] == but:
                continue
            message = self.bench.call(*argv).failure(said)
            assert name in message
        assert self.bench.maps(name) == []
        assert not {"Attach", "Mount", "Bind"} & set(self.bench.helper.verbs())

    def mounted(self, text: str, name: str = NAME) -> None:
        """Attach and mount the device, as for a first pod."""
        for argv in calls(name, text)[:2]:
            self.bench.call(*argv).success()

    def mount(self, text: str, pod: str = POD) -> tuple[str, ...]:
        return ("mount", pod_target(json.loads(text)["kubernetes.io/pvOrVolumeName"], pod), text)


def calls(name: str, text: str) -> list[tuple[str, ...]]:
    return [
        ("waitforattach", NODE, text),
        ("mountdevice", device_target(name), "/dev/ignored", text),
        ("mount", pod_target(name), text),
    ]


@pytest.fixture
def tenants(bench: Bench) -> Tenants:
    return Tenants(bench)


@pytest.fixture
def unattached(directory: Path, portal: Callable[[], str]) -> Iterator[Tenants]:
    """A node with attach:false, where `mount` does everything."""
    bench = Bench(directory, {1: portal(), 2: portal()})
    (bench.paths.plugin / ".attach").write_text("false\n")
    bench.start()
    yield Tenants(bench)
    bench.close()
