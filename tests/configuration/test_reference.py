"""docs/configuration.md, docs/defaults.md and their Chinese against the code: each key, and its default.

What the code takes is loaded from the smallest file there is; the words that a page has for a value that is
no text of its own (a place, «all») stand in `WORDS`.
"""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from helper import settings as of_helper
from installer import places as of_installer
from instorage import places
from instorage.configuration import host_section, storage_section
from instorage.configuration.settings import LOG_KEYS, Patience, load
from nodeagent.administration.helper_defaults import refresh
from tests.configuration.conftest import SMALL, refusal, written

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
LANGUAGES: Final = ("", ".zh")
NEEDED: Final = (
    "name",
    "host",
    "username",
    "link",
)  # a file without one of them is refused, by the key's name
CREDENTIAL: Final = {"(a credential)", "（凭据文件）"}  # a row without a key
WORDS: Final[dict[str, tuple[str, str]]] = {
    "the file": ("this file", "本文件"),
    "its directory": ("the plugin directory", "插件目录"),
    "this host": ("the host name", "主机名"),
    "every name": ("all", "全部"),
    "no label": ("none", "无"),
    "instorage.yaml": ("that of the configuration", "配置文件中的值"),
    "its plugin directory": ("that of the configuration", "配置文件所在的插件目录"),
    "its lock": ("`attachExtendFileLockPath`",) * 2,
    "places": ("that of `/etc/instorage/places`", "`/etc/instorage/places` 中的值"),
}
WRONG: Final = (("`fence` | node-lost", "`fence` | always"), ("3, 1 s", "3, 2 s"), ("`site` |", "`seat` |"))
Row = tuple[str, str]


def tables(page: str, language: str) -> list[dict[str, str]]:
    """Each table of a page: its keys, and what stands there as the default of each."""
    found: list[dict[str, str]] = []
    for line in (DOCS / f"{page}{language}.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        if line.startswith("|---"):
            found.append({})
        elif line.startswith("| ") and found and cells[0] not in ("key", "配置项", *CREDENTIAL):
            found[-1] |= dict(of_row(cells[0], cells[1]))
    return found


def of_row(names: str, default: str) -> Iterator[Row]:
    """The keys of a row; two of them share a cell «3, 1 s»."""
    keys = re.findall(r"`([^`]+)`", names)
    shared = re.split(r"[,，]\s*", default)
    yield from zip(keys, shared if len(shared) == len(keys) else [default] * len(keys), strict=True)


def shown(values: dict[str, object], language: str) -> dict[str, str]:
    """What the code takes, as a page of that language writes it."""
    return {key: _shown(value, LANGUAGES.index(language)) for key, value in values.items()}


def _shown(value: object, language: int) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return WORDS[str(value)][language] if str(value) in WORDS else str(value)


def storage(file: Path) -> dict[str, object]:
    found = load(written(file, SMALL.replace("  type: AS18000\n", ""))).storage[0]
    assert found.barrier_directory == file.parent.parent
    taken = {"type": found.type, "barrierPath": "its directory", "sshLegacy": found.ssh_legacy}
    return dict.fromkeys(storage_section.KEYS, "") | taken


def host(file: Path) -> dict[str, object]:
    found = load(written(file, SMALL))
    assert found.host is not None
    own = found.host
    assert (own.lock_path, own.node_name, own.direct_names) == (file, os.uname().nodename, ("*",))
    assert [own.mount_context, own.name_prefix, own.objects, own.sites] == ["", "", {}, {}]
    assert found.volume_keys == ()
    return dict.fromkeys(host_section.KEYS, "") | {
        "forceUseMultipath": own.force_multipath,
        **patience("scsiScan", own.scsi_scan),
        **patience("iscsiPathCheck", own.iscsi_path),
        **patience("multipathSearch", own.multipath_search),
        "multipathResizeDelay": f"{own.resize_delay:g} s",
        "attachExtendFileLockPath": "the file",
        "nodeName": "this host",
        "fence": own.fence.value,
        "logout": own.logout,
        "mountContext": "no label",
        "directNames": "every name",
    }


def patience(step: str, found: Patience) -> dict[str, object]:
    return {f"{step}RetryTimes": found.times, f"{step}WaitInterval": f"{found.interval:g} s"}


def log(file: Path) -> dict[str, object]:
    said = [load(written(file, SMALL + group)).log for group in ("", "log:\n  level:\n")]
    assert said[0] == said[1], "a file without the group, and one with an empty one"
    one = said[0]
    folder = f"`{one.directory.relative_to(file.parent.parent)}`"
    return dict(zip(LOG_KEYS, (one.enabled, folder, one.level.value, one.rotate_at), strict=True))


def helper(file: Path) -> dict[str, object]:
    """Whose word holds for a key that helper.conf has not: that of another file, or all is allowed."""
    made = file.parent / "defaults.conf"
    file.chmod(0o600)
    assert refresh(written(file, SMALL), made, ("/r",), os.getuid()) == ""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(made)
    given = dict.fromkeys(parser["helper"], "instorage.yaml")
    plain = of_helper.Settings()
    assert {plain.portals, plain.targets, plain.uid_prefixes} == {()}
    own: dict[str, object] = {key: "every name" for key in of_helper._KEYS if key.startswith("allowed_")}
    besides = {"plugin_directory": "its plugin directory", "lock_path": "its lock", "kubelet_roots": "places"}
    assert besides.keys() <= given.keys()
    return own | given | besides


def lies() -> dict[str, object]:
    where = (places.plugin({}), places.KUBELET_ROOT, places.PROVISIONER)
    return {key: f"`{path}`" for key, path in zip(of_installer.KEYS, where, strict=True)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reference_has_every_key_of_the_code_with_its_default_and_no_other(
    file: Path, language: str
) -> None:
    wanted = [storage(file), host(file), log(file), helper(file), lies()]
    assert tables("configuration", language) == [shown(one, language) for one in wanted]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_default_has_its_reason_on_the_other_page(file: Path, language: str) -> None:
    told = [shown(one, language) for one in (storage(file), host(file), log(file))]
    with_default = [{key: said for key, said in one.items() if said} for one in told]
    assert tables("defaults", language) == with_default


@pytest.mark.parametrize("key", NEEDED)
def test_a_key_without_a_default_that_is_needed_is_asked_for(file: Path, key: str) -> None:
    text, emptied = re.subn(rf"(?m)^((?:- |  ){key}:) .*$", r"\1", SMALL)
    assert emptied == 1
    assert f"{key} is missing" in refusal(file, text)


def test_a_default_that_a_page_has_otherwise_would_be_found(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (DOCS / "configuration.md").read_text()
    monkeypatch.setattr("tests.configuration.test_reference.DOCS", tmp_path)
    for right, wrong in WRONG:
        assert right in page
        (tmp_path / "configuration.md").write_text(page.replace(right, wrong))
        assert tables("configuration", "")[1] != shown(host(file), "")
    (tmp_path / "configuration.md").write_text(page)
    assert tables("configuration", "")[1] == shown(host(file), "")
