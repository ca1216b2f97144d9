"""An active-active volume on a simulated array, and the host that expands it: for the tests of expansion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from instorage.arrays.expansion import NINE, Step
from instorage.volume_name import VolumeName
from tests.arrays.conftest import ACTIVE_ACTIVE, GIB, LIMITS, NAMES, NODE, spec
from tests.arrays.host import Host

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.as18000 import As18000
    from instorage.arrays.expansion import Expansion, Plan
    from tests.arrays.conftest import Rig

AA = VolumeName("aa")
PATIENCE = 2.0  # seconds for a command: what a resume waits for after a lost answer
COMMAND = {
    **{step: "expandvdisksize" for step in NINE if step.startswith("expand")},
    Step.UNTIE: "rmrcrelationship",
    Step.TIE: "mkrcrelationship",
    Step.ACCESS: "addvdiskaccess",
    Step.MASTER_CHANGE: "chrcrelationship",
    Step.AUX_CHANGE: "chrcrelationship",
}

# What is asked for of a volume of 1 GiB, and what it then has.
SIZES = (
    pytest.param(GIB // 2, GIB, id="smaller"),
    pytest.param(GIB, GIB, id="equal"),
    pytest.param(GIB + 1, 2 * GIB, id="1 byte above"),
    pytest.param(3 * GIB // 2, 2 * GIB, id="1.5 GiB"),
    pytest.param(5 * GIB - 511, 5 * GIB, id="no multiple of a sector"),
)


class Volume:
    """An active-active volume of 1 GiB with data on it, mapped to a host that expands it."""

    def __init__(self, rig: Rig, directory: Path, **kind: Any) -> None:
        self.rig = rig
        self.array = self.client()
        self.uid = self.array.create_volume(spec("aa", **{**ACTIVE_ACTIVE, **kind})).uid
        self.host_object = self.array.ensure_host(NODE, link="iscsi", names=NAMES, site="1").name
        self.array.map_volume(AA, self.host_object)
        self.names = {v["function"]: v["name"] for v in rig.do("volumes")}
        self.host = self.new_host(directory)
        self.write("first.")
        self.before = self.picture()
        rig.reset()

    def client(self) -> As18000:
        return self.rig.client(limits=replace(LIMITS, operation=PATIENCE, step=PATIENCE))

    def new_host(self, directory: Path) -> Host:
        return Host(directory / "record", self.write, self.uid)

    def write(self, data: str) -> None:
        self.rig.do("write", volume="aa", data=data)

    def expand(self, size: int = 2 * GIB) -> Any:
        return self.array.expand_active_active(AA, size, host=self.host_object, guard=self.host)

    def plan(self) -> Plan:
        return self.array.expansion_plan(self.record)

    def resume(self, record: Expansion | None = None, *, later: bool = True) -> Any:
        """As a new process does: another connection, nothing in memory; `later`, as people come."""
        record = record or self.record
        if later:
            record = replace(record, sent=record.sent - record.patience)
        return self.client().resume_expansion(record, self.host)

    @property
    def record(self) -> Expansion:
        record = self.host.record
        assert record is not None
        return record

    def picture(self) -> dict[str, Any]:
        """Everything that the array shows, by its own words; sizes and copying apart."""
        shown: dict[str, Any] = {}
        for query in ("lsvdisk -bytes", "lsrcrelationship", "lslcmap", f"lsvdiskhostmap {AA}"):
            rows = self.array._cli.rows(*query.split())
            shown[query] = [{k: v for k, v in r.fields.items() if k != "capacity"} for r in rows]
        return shown

    def sizes(self) -> set[int]:
        return {volume["size"] for volume in self.rig.do("volumes")}

    def equal(self) -> bool:
        found = self.rig.do("compare", volume="aa", other=self.names["aux"])
        return bool(found["equal"]) and len(found["contents"][0]) > len("first.")

    def operations(self) -> list[str]:
        return [line.removeprefix("mcsop ") for line in self.rig.lines() if line.startswith("mcsop")]

    def assert_whole(self, size: int = 2 * GIB) -> None:
        """The original picture, the new size, both copies equal byte by byte, nothing frozen or recorded."""
        assert self.picture() == self.before
        assert self.sizes() == {size}
        assert self.equal()
        assert self.host.record is None
        assert not self.host.frozen

    def syncs(self) -> list[str]:
        return [line for line in self.operations() if "mkrcrelationship" in line and "-sync" in line]


@pytest.fixture
def volume(rig: Rig, tmp_path: Path) -> Volume:
    return Volume(rig, tmp_path)
