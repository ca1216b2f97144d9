"""Another plugin directory than the usual one, as deploy/README.md sets it (manual 2.1: «by the cluster»)."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import TYPE_CHECKING

from nodeagent.administration import helper_defaults
from nodeagent.host.paths import Paths
from tests.agent.test_helper_defaults import CONFIGURATION

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "inspur~instorage-flexvolume"


def drop_ins() -> dict[str, str]:
    """Each unit of the document's drop-ins, and what it is given."""
    text = (ROOT / "deploy/README.md").read_text()
    blocks = re.findall(
        r"^    # (instorage-[\w.-]+?)\.d/plugin\.conf.*\n((?:    .+\n)+?)(?=    #|\n)", text, re.M
    )
    return {unit: re.sub(r"^    ", "", lines, flags=re.M) for unit, lines in blocks}


def test_the_drop_ins_give_every_part_the_same_directory() -> None:
    found = drop_ins()
    assert set(found) == {
        "instorage-nodeagent.service", "instorage-helper.service", "instorage-nodeagent-plugin.socket"
    }  # fmt: skip
    assert all((ROOT / "systemd" / unit).is_file() for unit in found)
    (place,) = set(re.findall(rf"(/\S+/{FOLDER})", "".join(found.values())))
    for unit in ("instorage-nodeagent.service", "instorage-helper.service"):
        assert f"Environment=INSTORAGE_PLUGIN={place}\n" in found[unit]
    assert found["instorage-nodeagent-plugin.socket"].endswith(
        f"ListenStream=\nListenStream={place}/.agent.sock\n"
    )


def test_agent_and_helper_take_it_from_their_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = tmp_path / FOLDER
    (plugin / "config").mkdir(parents=True)
    (plugin / "config/instorage.yaml").write_text(CONFIGURATION)
    (plugin / "config/instorage.yaml").chmod(0o600)
    monkeypatch.setenv("INSTORAGE_PLUGIN", str(plugin))
    assert Paths.from_environment().configuration == plugin / "config/instorage.yaml"
    monkeypatch.setattr(helper_defaults, "DEFAULTS", tmp_path / "defaults.conf")
    monkeypatch.setattr(helper_defaults, "trusted", lambda _, __: True)  # who runs the tests
    assert helper_defaults.main() == 0
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(tmp_path / "defaults.conf")
    assert parser["helper"]["plugin_directory"] == str(plugin)
