"""What root tells the helper before it starts."""

from __future__ import annotations

import configparser
import functools
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nodeagent.administration import helper_defaults, helper_start
from nodeagent.administration.helper_defaults import refresh
from tools.install import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROOTS = ("/var/lib/kubelet", "/srv/kubelet")
CONFIGURATION = """\
host:
  link: iscsi
  forceUseMultipath: true
  attachExtendFileLockPath: lock
storage:
- name: storage-01
  type: AS18000
  host: 10.0.0.1:22
  username: superuser
  password: MARKER
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    config = tmp_path / "plugin/config"
    config.mkdir(parents=True)
    path = config / "instorage.yaml"
    path.write_text(CONFIGURATION)
    path.chmod(0o600)
    return path


def test_the_manuals_keys_reach_the_helper(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "defaults.conf"
    assert refresh(source, made, ROOTS, os.getuid()) == ""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(made)
    assert dict(parser["helper"]) == {
        "kubelet_roots": "/var/lib/kubelet, /srv/kubelet",
        "plugin_directory": str(tmp_path / "plugin"),
        "lock_path": str(tmp_path / "plugin/lock"),
        "logout": "false",
        "multipath": "required",
    }
    assert "MARKER" not in made.read_text()
    assert made.stat().st_mode & 0o777 == 0o644


def test_an_unchanged_file_is_not_written_again_and_a_changed_one_is(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "defaults.conf"
    refresh(source, made, ROOTS, os.getuid())
    before = made.stat().st_ino
    refresh(source, made, ROOTS, os.getuid())
    assert made.stat().st_ino == before
    source.write_text(CONFIGURATION.replace("true", "false"))
    refresh(source, made, ROOTS, os.getuid())
    assert "multipath = preferred" in made.read_text()


def test_a_file_that_others_can_change_is_not_taken(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "defaults.conf"
    source.chmod(0o660)
    assert "not taken" in refresh(source, made, ROOTS, os.getuid())
    source.chmod(0o600)
    assert "not taken" in refresh(source, made, ROOTS, os.getuid() + 1)
    assert "multipath" not in made.read_text()


def test_a_broken_file_leaves_the_old_settings(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "defaults.conf"
    refresh(source, made, ROOTS, os.getuid())
    source.write_text("host: [")
    assert "keeps its settings" in refresh(source, made, ROOTS, os.getuid())
    assert "multipath = required" in made.read_text()


@pytest.mark.parametrize("trouble", ["missing", "broken", "writable"])
def test_where_things_lie_is_known_without_a_configuration(
    source: Path, tmp_path: Path, trouble: str
) -> None:
    made, plugin = tmp_path / "defaults.conf", tmp_path / "plugin"
    if trouble == "missing":
        source.unlink()
    elif trouble == "broken":
        source.write_text("host: [")
    else:
        source.chmod(0o666)
    assert "The helper keeps its settings" in refresh(source, made, ROOTS, os.getuid())
    lines = made.read_text().splitlines()[1:]
    assert lines == [
        "[helper]",
        "kubelet_roots = /var/lib/kubelet, /srv/kubelet",
        f"plugin_directory = {plugin}",
    ]
    source.write_text(CONFIGURATION)
    source.chmod(0o600)
    assert refresh(source, made, ROOTS, os.getuid()) == ""
    assert "multipath = required" in made.read_text()


def test_a_change_of_places_reaches_the_helper_with_an_unchanged_configuration(
    source: Path, tmp_path: Path
) -> None:
    made = tmp_path / "defaults.conf"
    refresh(source, made, ROOTS, os.getuid())
    refresh(source, made, ("/data/kubelet",), os.getuid())
    assert "kubelet_roots = /data/kubelet\n" in made.read_text()
    moved = (tmp_path / "plugin").rename(tmp_path / "elsewhere")  # the same inode
    refresh(moved / "config/instorage.yaml", made, ("/data/kubelet",), os.getuid())
    assert f"plugin_directory = {moved}\n" in made.read_text()


@pytest.mark.subprocess
def test_nothing_heavy_is_imported_when_nothing_changed(source: Path, tmp_path: Path) -> None:
    made = tmp_path / "defaults.conf"
    refresh(source, made, ROOTS, os.getuid())
    program = (
        "import os, sys; from pathlib import Path;"
        "from nodeagent.administration.helper_defaults import refresh;"
        f"assert refresh(Path({str(source)!r}), Path({str(made)!r}), {ROOTS!r}, os.getuid()) == '';"
        "print([name for name in ('yaml', 'cryptography', 'paramiko') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def started(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Start as the unit does; True when nothing was made anew."""
    files = {name: tmp_path / name for name in ("defaults", "seen", "places")}
    monkeypatch.setenv("INSTORAGE_CONFIG", str(source))
    monkeypatch.setattr(helper_defaults, "DEFAULTS", files["defaults"])
    monkeypatch.setattr(helper_defaults, "SEEN", files["seen"])
    monkeypatch.setattr(helper_defaults, "trusted", lambda _, __: True)  # who runs the tests
    seen = functools.partial(helper_start.seen, places=str(files["places"]))
    monkeypatch.setattr(helper_start, "seen", lambda source, *_: seen(source))

    def start() -> bool:
        known = helper_start.unchanged(str(files["defaults"]), str(files["seen"]))
        assert known or helper_defaults.main() == 0
        return known

    return start


@pytest.mark.parametrize("what", ["configuration", "places", "variable", "defaults", "right"])
def test_a_start_makes_the_defaults_anew_when_anything_has_changed_and_else_does_not(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: Callable[[], bool], what: str
) -> None:
    assert not started(), "the first"
    assert started()
    if what == "configuration":
        source.write_text(CONFIGURATION.replace("true", "false"))
    elif what == "places":
        (tmp_path / "places").write_text("INSTORAGE_KUBELET_ROOTS=/data/kubelet\n")
    elif what == "variable":
        monkeypatch.setenv("INSTORAGE_KUBELET_ROOTS", "/data/kubelet")
    elif what == "defaults":
        (tmp_path / "defaults").unlink()
    else:
        source.chmod(0o640)
    assert not started()
    assert started()


def test_a_configuration_that_is_not_taken_is_looked_at_and_said_at_every_start(
    source: Path, started: Callable[[], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    source.write_text("host: [")
    for _ in range(2):
        assert not started()
        assert "The helper keeps its settings" in capsys.readouterr().err


@pytest.mark.subprocess
def test_a_start_that_changes_nothing_loads_nothing_but_python(source: Path, tmp_path: Path) -> None:
    (tmp_path / "defaults").touch()
    (tmp_path / "seen").write_text(helper_start.seen(str(source)))
    program = (
        "import sys; from nodeagent.administration import helper_start;"
        "before = set(sys.modules);"
        f"assert helper_start.unchanged({str(tmp_path / 'defaults')!r}, {str(tmp_path / 'seen')!r});"
        "print(sorted({'pathlib', 'typing', 're', 'enum', 'dataclasses', 'yaml'} & set(sys.modules)))"
    )
    argv = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
