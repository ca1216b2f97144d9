"""An active-active volume that a pod of the bench's node uses, and its expansion through expandfs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from instorage.arrays.endpoint import Limits
from instorage.arrays.expansion import NINE, Expansion, Step
from instorage.wire.record import to_json
from nodeagent.administration import barrier
from tests.agent.bench import ACTIVE_ACTIVE, GIB, Bench, options, until
from tests.arrays.expanding import COMMAND

if TYPE_CHECKING:
    from instorage.volume_name import VolumeName
    from tests.agent.call import Reply, Stub

VOLUME = "vol1"
AA = options(VOLUME, volLevel="aa")
PATIENCE = Limits(connect=2, query=2, operation=2, step=2, spacing=0.05)


def left_of(step: Step) -> list[Step]:
    """Return what is to be done when the run ended before the array did `step`."""
    return list(NINE[step.number - 1 :])


class Pair:
    """The volume with data on both sites; its application writes whenever it is not frozen."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.uid = bench.create(VOLUME, **ACTIVE_ACTIVE)
        bench.use(VOLUME, AA)
        self.names = {row["function"]: row["name"] for row in bench.do("volumes")}
        self.before = self.picture()
        bench.helper.writes = self.write
        self.write(self.uid)
        bench.reset()

    def write(self, _: str = "") -> None:
        self.bench.do("write", volume=VOLUME, data="written.")

    def begin(self, size: int = 2 * GIB) -> Stub:
        return self.bench.begin_expandfs(VOLUME, size, text=AA)

    def expand(self, size: int = 2 * GIB) -> Reply:
        return self.bench.expandfs(VOLUME, size, text=AA)

    def break_off(self, step: Step = Step.GROW_AUX) -> None:
        """Have the array refuse a step of an expansion."""
        self.bench.helper.before[step] = lambda: self.bench.do(
            "fault", command=COMMAND[step], error="CMMVC5982E"
        )
        self.expand().failure("broke off at")

    @property
    def record(self) -> Expansion:
        return Expansion.read(json.loads(self.bench.helper.kept[self.uid]))

    def tie_by_hand(self, *words: str) -> None:
        """Make the relationship again as a person does; `words`: -sync, as the vendor's manual has it."""
        names, operate = self.names, self.bench.array._cli.operate
        ends = ("-master", VOLUME, "-aux", names["aux"], "-cluster", "mcs1")
        operate("mkrcrelationship", *ends, *words, "-activeactive")
        master = next(str(row["id"]) for row in self.bench.do("volumes") if row["name"] == VOLUME)
        operate("addvdiskaccess", "-iogrp", "io_grp1", VOLUME)
        operate("chrcrelationship", "-masterchange", names["master_change"], master)
        operate("chrcrelationship", "-auxchange", names["aux_change"], master)

    def age(self) -> None:
        """Let the time pass in which a lost command may still be carried out."""
        old = replace(self.record, sent=0)
        self.bench.helper.kept[self.uid] = json.dumps(to_json(old))

    def left(self) -> list[Step]:
        """Return what the array says is left of it."""
        found = self.bench.array.expansion_plan(self.record)
        assert found.questions == ()
        return [planned.step for planned in found.commands]

    def plan(self, volume: VolumeName | None = None) -> str:
        return "\n".join(barrier.plan(self.bench.paths.configuration, volume))

    def clear(self) -> str:
        return "\n".join(barrier.clear(self.bench.paths.configuration))

    def resume(self) -> str:
        told: list[str] = []
        lines = list(barrier.resume(self.bench.paths.configuration, None, told.append))
        return "\n".join([*told, *lines])

    def picture(self) -> dict[str, Any]:
        """Everything that the array shows of it, by its own words; sizes apart."""
        shown: dict[str, Any] = {}
        for query in ("lsvdisk -bytes", "lsrcrelationship", "lslcmap", f"lsvdiskhostmap {VOLUME}"):
            rows = self.bench.array._cli.rows(*query.split())
            own = [r for r in rows if query != "lsvdisk -bytes" or r["name"] in self.names.values()]
            shown[query] = [{k: v for k, v in r.fields.items() if k != "capacity"} for r in own]
        return shown

    def syncs(self) -> int:
        """Return how many relationships were made with -sync since the last reset."""
        lines = [entry["line"] for entry in self.bench.do("log")]
        return len([line for line in lines if "mkrcrelationship" in line and "-sync" in line])

    def assert_whole(self, size: int = 2 * GIB) -> None:
        """The original picture, the new size, both copies equal, nothing frozen, recorded or locked."""
        assert self.picture() == self.before
        assert {row["size"] for row in self.bench.do("volumes") if row["name"] in self.names.values()} == {
            size
        }
        found = self.bench.do("compare", volume=VOLUME, other=self.names["aux"])
        assert found["equal"], found
        assert found["contents"][0]
        assert not self.bench.helper.kept
        assert not self.bench.helper.barrier.exists()
        assert not self.bench.helper.frozen(self.uid)
        until(lambda: self.bench.helper.locks == 0)  # a connection ends a moment after the answer
