"""«Cannot be read» is never «not there»: a record that nobody can read is a fault, not the lack of one."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from helper import format as formatting
from helper import store
from helper.barrier import barrier
from helper.inventory import inspect
from helper.settings import Settings
from instorage.wire.fault import Code, Fault
from instorage.wire.growth import BarrierReply, BarrierRequest
from instorage.wire.values import RequestId, VolumeUid
from instorage.wire.verbs import InspectRequest
from tests.helper.host import UID, Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.subprocess
OP = RequestId("test1")


def cannot_be_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_list = os.listdir

    def listdir(path: Any = ".") -> list[str]:
        if path == str(folder):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return true_list(path)

    monkeypatch.setattr(os, "listdir", listdir)


def cannot_be_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of a record, as with a label of SELinux that nobody restored."""
    true_open = os.open

    def opened(path: Any, *rest: Any, **more: Any) -> int:
        if path == UID:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return true_open(path, *rest, **more)

    monkeypatch.setattr(os, "open", opened)


def is_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.with_name("moved"))
    folder.touch()


def is_a_loop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder)


BROKEN = [cannot_be_listed, cannot_be_opened, is_a_file, is_a_loop]


def ask(host: Host, **more: Any) -> BarrierReply:
    return barrier(
        BarrierRequest(OP, VolumeUid.parse(UID), **more), Settings(plugin_directory=str(host.root))
    )


def refused(deed: Callable[[], object], named: Path) -> None:
    with pytest.raises(Fault) as raised:
        deed()
    assert raised.value.code is Code.BAD_CONFIGURATION, raised.value
    assert str(named) in raised.value.sentence


@pytest.mark.parametrize("broken", BROKEN)
def test_an_expansion_that_was_broken_off_is_not_forgotten(
    host: Host, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None]
) -> None:
    assert ask(host).records == (), "without a directory there is none"
    ask(host, record='{"step": 1}')
    broken(host.root / "aa", monkeypatch)
    refused(lambda: ask(host), host.root / "aa")


@pytest.mark.parametrize("broken", [cannot_be_listed, is_a_file, is_a_loop])
def test_a_record_that_cannot_be_erased_is_said(
    host: Host, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None]
) -> None:
    ask(host, record='{"step": 1}')
    broken(host.root / "aa", monkeypatch)
    refused(lambda: ask(host, erase=True), host.root / "aa")


@pytest.mark.parametrize("broken", [cannot_be_listed, is_a_file, is_a_loop])
def test_the_record_of_a_format_stays_a_record(
    host: Host, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None]
) -> None:
    """Its caller goes on to mount, and the record would be a licence for what comes then."""
    folder = host.root / "format"
    store.put(str(folder), UID, "{}")
    broken(folder, monkeypatch)
    refused(lambda: formatting.forget(UID), folder)
    refused(lambda: inspect(InspectRequest(OP), Settings(), more=True), folder)


@pytest.mark.parametrize("broken", [cannot_be_opened, is_a_file, is_a_loop])
def test_a_format_that_was_broken_off_is_not_taken_for_none(
    host: Host, monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None]
) -> None:
    folder = host.root / "format"
    store.put(str(folder), UID, '{"uuid": "11111111-2222-3333-4444-555555555555"}')
    broken(folder, monkeypatch)
    refused(lambda: formatting._recorded(UID), folder)


def test_a_look_for_a_record_makes_nothing(host: Host) -> None:
    """A root file system that takes no writes any more keeps no volume from being mounted."""
    assert formatting._recorded(UID) is None
    assert not (host.root / "format").exists()


def test_what_is_no_file_is_no_record(host: Host) -> None:
    (host.root / "aa" / UID).mkdir(parents=True)
    (host.root / "aa").chmod(0o700)
    assert store.get(str(host.root / "aa"), UID) is None
