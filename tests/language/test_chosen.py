"""Whose environment asks for Chinese, by gettext's rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from instorage.language import chosen

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "zh_CN.UTF-8"},
        {"LANG": "zh_CN.utf8"},
        {"LANG": "zh_SG.UTF-8@pinyin"},
        {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"},
        {"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8", "LC_MESSAGES": "C"},
        {"LANG": "zh_CN.UTF-8", "LC_ALL": ""},
        {"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"},
        {"LANG": "de_DE.UTF-8", "LANGUAGE": "de:zh_CN"},
    ],
    ids=str,
)
def test_it_is_chinese(environment: dict[str, str]) -> None:
    assert chosen(environment) == "zh_CN"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LANG": "C.UTF-8"},
        {"LANG": "C", "LANGUAGE": "zh_CN"},
        {"LANG": "zh_CN"},
        {"LANG": "zh_CN.GBK"},
        {"LANG": "zh_TW.UTF-8"},
        {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"},
        {"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"},
        {"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh_CN"},
        {"LANG": "de_DE.UTF-8"},
    ],
    ids=str,
)
def test_it_is_english(environment: dict[str, str]) -> None:
    assert chosen(environment) == ""


def test_only_what_a_person_runs_translates() -> None:
    """Services may have a Chinese locale of systemd; journal and events stay English."""
    found = {
        str(path.relative_to(ROOT))
        for house in ("instorage", "helper", "nodeagent", "provisioner", "installer")
        for path in (ROOT / house).rglob("*.py")
        if "instorage.language" in path.read_text(encoding="utf-8") and path.stem != "language"
    }
    assert found == {
        "instorage/configuration/shadow_command.py",
        "nodeagent/administration/changing.py",
        "nodeagent/administration/command.py",
        "nodeagent/administration/ctl.py",
        "nodeagent/administration/ext.py",
        "nodeagent/diagnosis/branches.py",
        "nodeagent/diagnosis/link.py",
        "nodeagent/diagnosis/plugin.py",
        "nodeagent/diagnosis/waiting.py",
        "provisioner/ctl.py",
    }
