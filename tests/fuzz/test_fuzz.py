"""The fuzzer finds nothing in the product, and finds what is broken on purpose."""

from __future__ import annotations

import re
from random import Random
from typing import TYPE_CHECKING

import pytest

from helper import target
from instorage.wire import record, varlink
from instorage.wire.values import FsType, Iqn, VolumeUid
from nodeagent.operation import flexvolume
from nodeagent.operation.targets import PodTarget
from tools.fuzz import helper, oracle, parsers, stub
from tools.fuzz.__main__ import SOCKETS, TEXTS
from tools.fuzz.result import FoundError, Result

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

MESSAGES = 20_000
DAILY = MESSAGES // 3  # a million for a release: make fuzz
SEED = 20260801
KUBELET = "/var/lib/kubelet"


@pytest.mark.subprocess  # the stub's program
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("part", "share"), [*SOCKETS, *TEXTS], ids=lambda one: getattr(one, "__name__", None)
)
def test_nothing_crashes_leaks_or_begins_what_is_not_valid(
    part: Callable[[Random, int, Path], Result], share: float, tmp_path: Path
) -> None:
    result = part(Random(SEED), int(DAILY * share), tmp_path)
    print(result)
    assert result.messages == int(DAILY * share)
    assert result.begun, "no valid input came: nothing was compared"
    assert sum(result.codes.values()) > result.begun, "hardly any invalid input came"


def every_default(kind: object, name: str) -> bool:
    """What `hasattr` says where each field has a default."""
    return name != "parse" or hasattr(kind, name)


DEFECTS: dict[str, tuple[object, str, object]] = {
    "an identifier with anything behind it": (
        VolumeUid,
        "pattern",
        re.compile(r"6[0-9A-Fa-f]{31}.*", re.DOTALL),
    ),
    "an IQN with options behind it": (Iqn, "pattern", re.compile(Iqn.pattern.pattern.replace("_-]", "_ -]"))),
    "every file system": (FsType, "pattern", re.compile("[a-z0-9.]+")),
    "a name that climbs": (target, "_NAME", r"[A-Za-z0-9._/-]+"),
    "keys twice": (varlink, "_unique", dict),
    "any depth": (varlink, "MAX_DEPTH", 1000),
    "any integer": (varlink, "_MAX_INTEGER_DIGITS", 10000),
    "fields that are missing": (record, "hasattr", every_default),
}


@pytest.mark.parametrize("what", DEFECTS)
def test_a_check_that_is_taken_out_of_the_helper_is_noticed(
    what: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(*DEFECTS[what], raising=what != "fields that are missing")  # that one is a builtin
    with pytest.raises(FoundError):
        helper.in_process(Random(SEED), MESSAGES, tmp_path)


def test_a_check_that_is_taken_out_of_the_agent_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(flexvolume, "_same", lambda request: request)
    monkeypatch.setitem(
        flexvolume._PARSERS, "mount", (2, lambda a: flexvolume.Unmount(PodTarget.parse(a[0])))
    )
    with pytest.raises(FoundError):
        stub.stub(Random(SEED), MESSAGES, tmp_path)


def test_a_reader_that_raises_anything_but_a_fault_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(parsers, "QUERIES", (lambda cli: int(cli.rows("lsvdisk")[0]["id"]),))
    with pytest.raises(FoundError, match="instead of a Fault"):
        parsers.array(Random(SEED), 1000, tmp_path)


def test_the_oracle_knows_a_valid_call() -> None:
    message = b'{"method":"io.inspur.instorage.Helper.Unmount","parameters":{"op":"test1","target":"%s"}}'
    device = f"{KUBELET}/plugins/kubernetes.io/flexvolume/inspur/instorage-flexvolume/mounts/pvc-1"
    assert oracle.verdicts(message % device.encode() + b"\0", KUBELET) == ["Unmount"]
    assert oracle.verdicts(message % b"/etc" + b"\0", KUBELET) == [None]
    assert oracle.verdicts(b"{}\0" + message % device.encode() + b"\0", KUBELET) == [oracle.BROKEN]
