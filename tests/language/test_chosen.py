"""Whose environment asks for Chinese, by gettext's rules."""

from __future__ import annotations

import pytest

from instorage.language import chosen


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
