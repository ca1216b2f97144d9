"""The root-owned configuration of the helper."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from helper import settings
from instorage.wire.fault import Fault
from instorage.wire.values import Iqn, Lun, Portal, VolumeUid
from instorage.wire.verbs import IscsiPath, Multipath

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.helper.conftest import Client, Start

UID = VolumeUid.parse("60050760008989c0d00000000002c485")
PATH = IscsiPath(Portal.parse("10.9.0.1:3260"), Iqn.parse("iqn.2004-12.com.inspur:mcs.node1"), Lun.parse(1))

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can own files as root")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Defaults, and what the administrator wrote."""
    paths = [tmp_path / "defaults.conf", tmp_path / "helper.conf"]
    monkeypatch.setattr(settings, "FILES", tuple(str(path) for path in paths))
    return paths


def test_without_files_the_manuals_defaults_hold(files: list[Path]) -> None:
    assert settings.load() == settings.Settings()
    assert settings.Settings().driver == "inspur~instorage-flexvolume"


def test_the_administrators_file_wins_over_the_defaults(files: list[Path]) -> None:
    files[0].write_text(
        "[helper]\nplugin_directory = /a/x~y\nkubelet_roots = /r1, /r2\nmultipath = required\n"
    )
    files[1].write_text("[helper]\nlock_path = /l\nkubelet_roots = /r3\n")
    loaded = settings.load()
    assert (loaded.driver, loaded.roots, loaded.lock_path) == ("x~y", ("/r3",), "/l")
    assert loaded.demanded(Multipath.PREFERRED)


def test_a_message_may_only_tighten(files: list[Path]) -> None:
    assert settings.Settings().demanded(Multipath.REQUIRED)
    assert not settings.Settings().demanded(Multipath.PREFERRED)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_refused(files: list[Path], mode: int) -> None:
    files[1].write_text("[helper]\n")
    files[1].chmod(mode)
    with pytest.raises(Fault, match="can be written by others than root"):
        settings.load()
    files[1].chmod(0o600)
    os.chown(files[1], 1000, 0)
    with pytest.raises(Fault, match="can be written by others than root"):
        settings.load()


@pytest.mark.parametrize("text", ["no section", "[helper]\nmultipath = perhaps\n", "[helper\n", "\xff"])
def test_a_broken_file_is_named(files: list[Path], text: str) -> None:
    files[1].write_text(text, encoding="latin-1")
    with pytest.raises(Fault) as refused:
        settings.load()
    assert refused.value.code == "bad-configuration"
    assert refused.value.fields["file"] == str(files[1])
    assert str(files[1]) in refused.value.sentence


def test_pinned_arrays_are_the_only_ones(files: list[Path]) -> None:
    files[1].write_text(
        "[helper]\nallowed_portals = 10.9.0.1:3260 10.9.1.1:3260\nallowed_uid_prefixes = 6005076000898\n"
        "allowed_targets = iqn.2004-12.com.inspur:mcs.node1\n"
    )
    loaded = settings.load()
    loaded.check(UID, (PATH,))
    elsewhere = IscsiPath(Portal.parse("10.9.0.66:3260"), PATH.target, PATH.lun)
    other = IscsiPath(PATH.portal, Iqn.parse("iqn.2020-01.com.evil:x"), PATH.lun)
    foreign = VolumeUid.parse("6" + "0" * 31)
    for uid, path, named in (
        (UID, elsewhere, "10.9.0.66:3260"),
        (UID, other, other.target),
        (foreign, PATH, foreign),
    ):
        with pytest.raises(Fault, match="is not pinned") as refused:
            loaded.check(uid, (path,))
        assert named in refused.value.sentence
        assert refused.value.code == "not-allowed"


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def loop(path: Path) -> None:
    path.symlink_to(path)


def directory(path: Path) -> None:
    path.mkdir()


def below_a_file(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.touch()


@pytest.mark.parametrize("broken", [dangling, loop, directory, below_a_file])
def test_a_file_that_cannot_be_looked_at_is_no_file_without_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Path], None]
) -> None:
    path = tmp_path / "etc/helper.conf"
    path.parent.mkdir()
    monkeypatch.setattr(settings, "FILES", (str(tmp_path / "none"), str(path)))
    assert settings.load() == settings.Settings(), "only one that is not there is passed over"
    broken(path)
    with pytest.raises(Fault, match="cannot be read") as refused:
        settings.load()
    assert refused.value.code == "bad-configuration"
    assert refused.value.fields["file"] == str(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[Helper]\nallowed_portals = 10.9.0.1:3260\n", "Helper"),
        ("[helper]\nallowed_portal = 10.9.0.1:3260\n", "'allowed_portal',"),
        ("[helper]\nallowed-portals = 10.9.0.1:3260\n", "allowed-portals"),
        ("[DEFAULT]\nallowed_portals = 10.9.0.1:3260\n", "DEFAULT"),
        ("[helper]\n[pins]\nallowed_portals = 10.9.0.1:3260\n", "pins"),
    ],
)
def test_a_pin_that_nobody_would_heed_is_named(files: list[Path], text: str, named: str) -> None:
    files[1].write_text(text)
    with pytest.raises(Fault) as refused:
        settings.load()
    assert refused.value.code == "bad-configuration"
    assert named in refused.value.sentence
    assert str(files[1]) in refused.value.sentence


def test_a_helper_with_a_broken_file_serves_nothing_but_what_is_wrong(
    files: list[Path], start: Start, connect: Callable[[], Client]
) -> None:
    loop(files[1])
    start(configured=settings.loaded())
    answer = connect().receive()
    assert answer is not None
    assert answer["parameters"]["code"] == "bad-configuration"
    assert str(files[1]) in answer["parameters"]["sentence"]
