"""Other places than the usual ones (manual 2.1), as install.sh writes them down for every program."""

from __future__ import annotations

import configparser
import sys
from typing import TYPE_CHECKING

import pytest

from instorage import places
from instorage.wire.fault import Code, Fault
from nodeagent.administration import ctl, helper_defaults
from nodeagent.host.paths import Paths
from provisioner import places as of_the_provisioner
from tests.agent.test_helper_defaults import CONFIGURATION

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "inspur~instorage-flexvolume"


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plugin directory that the file of this host's places names."""
    plugin = tmp_path / FOLDER
    (plugin / "config").mkdir(parents=True)
    (plugin / "config/instorage.yaml").write_text(CONFIGURATION)
    (plugin / "config/instorage.yaml").chmod(0o600)
    file = tmp_path / "places"
    file.write_text(
        f"# by install.sh\nINSTORAGE_PLUGIN={plugin}\nINSTORAGE_KUBELET_ROOTS=/var/lib/kubelet,/srv/kubelet\n"
        f'INSTORAGE_PROVISIONER="{tmp_path}/provisioner"\n'
    )
    monkeypatch.setattr(places, "FILE", file)
    for key in ("INSTORAGE_PLUGIN", "INSTORAGE_CONFIG", "INSTORAGE_KUBELET_ROOTS", "INSTORAGE_PROVISIONER"):
        monkeypatch.delenv(key, raising=False)
    return plugin


def test_the_agent_finds_its_plugin_directory(plugin: Path) -> None:
    assert Paths.from_environment().plugin == plugin
    assert Paths.from_environment().configuration == plugin / "config/instorage.yaml"


def test_the_helper_learns_plugin_directory_and_kubelets_directories(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helper_defaults, "DEFAULTS", tmp_path / "defaults.conf")
    monkeypatch.setattr(helper_defaults, "SEEN", tmp_path / "defaults.seen")
    monkeypatch.setattr(helper_defaults, "trusted", lambda _, __: True)  # who runs the tests
    assert helper_defaults.main() == 0
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(tmp_path / "defaults.conf")
    assert parser["helper"]["plugin_directory"] == str(plugin)
    assert parser["helper"]["kubelet_roots"] == "/var/lib/kubelet, /srv/kubelet"


def test_instoragectl_started_by_hand_reads_the_same_configuration(
    plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (plugin / "config/instorage.yaml").unlink()
    assert ctl.main(["arrays"]) == 1
    assert f"{plugin}/config/instorage.yaml: the configuration cannot be read" in capsys.readouterr().err


def test_instoragectl_hands_adopt_to_the_provisioner_where_it_lies(
    plugin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ctl.main(["adopt"]) == 1
    assert f"{plugin.parent}/provisioner/instoragectl is not on this host" in capsys.readouterr().err


def test_a_drop_in_of_an_administrator_wins(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTORAGE_PLUGIN", f"/srv/{FOLDER}")
    assert str(Paths.from_environment().plugin) == f"/srv/{FOLDER}"


def test_without_the_file_everything_lies_where_it_always_did(
    plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.FILE.unlink()
    assert places.plugin() == places.PLUGIN
    assert places.kubelet_roots() == ("/var/lib/kubelet",)
    assert str(places.provisioner()) == "/opt/inspur-instorage-provisioner"


@pytest.mark.parametrize(
    ("text", "said"), [("INSTORAGE_PLUGIN=plugins\n", "no path from «/» on"), ("\udcff", "it is not UTF-8")]
)
def test_a_file_that_cannot_be_understood_is_no_missing_file(plugin: Path, text: str, said: str) -> None:
    places.FILE.write_text(text, errors="surrogateescape")
    with pytest.raises(Fault, match=said) as refused:
        Paths.from_environment()
    assert refused.value.code is Code.BAD_CONFIGURATION
    assert str(places.FILE) in refused.value.sentence
    places.FILE.unlink()
    places.FILE.mkdir()
    with pytest.raises(Fault, match="cannot be read"):
        places.plugin()


def test_a_provisioner_that_was_copied_anywhere_finds_its_files_beside_itself(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "instoragectl")])
    assert of_the_provisioner.configuration() == tmp_path / "provisioner/config/instorage.yaml"
    (tmp_path / "config").mkdir()
    assert of_the_provisioner.configuration() == tmp_path / "config/instorage.yaml"
    assert of_the_provisioner.kubeconfig() == tmp_path / "config/kubeconfig"
