"""A configuration file in a plugin directory, as every test here writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from instorage.configuration import storage_section
from instorage.configuration.settings import load
from instorage.wire.fault import Code, Fault

SMALL = """\
host:
  link: fc
storage:
- name: a
  type: AS18000
  host: 10.0.0.1:22
  username: user
  password: marker-8d1f
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The place of the configuration in a plugin directory; not readable for others."""
    path = tmp_path / "config" / "instorage.yaml"
    path.parent.mkdir()
    path.touch(0o640)
    return path


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(storage_section, "CREDENTIALS", tmp_path / "etc")


def written(file: Path, text: str | bytes) -> Path:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def refusal(file: Path, text: str | bytes) -> str:
    with pytest.raises(Fault) as caught:
        load(written(file, text), key_file=Path("/nowhere/shadow.key"))
    assert caught.value.code in (Code.BAD_CONFIGURATION, Code.NOT_SUPPORTED)
    assert str(file) in caught.value.sentence
    assert "marker-8d1f" not in repr(caught.value), "a password must not get into a message"
    return caught.value.sentence
