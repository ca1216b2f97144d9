"""The administrator's programs in Chinese, as an installation has them, each as a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from instorage.catalogue.table import CATALOGUE
from tests.diagnosis.recorded import VOLUME, Recorded, kubectl
from tools.dist import plugin
from tools.install import PARTS, SITE, files, put

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.timeout(180)]
CHINESE = {"LANG": "zh_CN.UTF-8"}
ENGLISH = {"LANG": "C.UTF-8"}
CTL, EXT, ADOPT = "nodeagent.administration.ctl", "nodeagent.administration.ext", "provisioner.ctl"
HAN = re.compile("[\u4e00-\u9fff]")
PROSE = re.compile(r"\b[a-z]{2,}(?:[,;:.]? [a-z]{2,}){3}\b")
"""Four words in a row: a sentence, or a part of one, that was left in English."""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Site-packages of each part, as it is installed."""
    root = tmp_path_factory.mktemp("installed")
    (root / "stub").write_bytes(b"stub")
    for name, part in PARTS.items():
        put(root / name, files(part, {}, root / "stub"))
    return {name: root / name / part.prefix / SITE for name, part in PARTS.items()}


class Host:
    """An empty host: no configuration, no agent, nothing installed."""

    def __init__(self, sites: dict[str, Path], root: Path) -> None:
        self._sites, self._root = sites, root

    def run(self, module: str, *words: str, language: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a program of an installation; its temporary paths are the same for every language."""
        environment = {
            "PATH": "/nowhere", "INSTORAGE_ROOT": str(self._root), "STATE_DIRECTORY": str(self._root),
            "INSTORAGE_PLUGIN": str(self._root / "plugin"),
            "INSTORAGE_HELPER_SOCKET": str(self._root / "no-helper.sock"),
            "INSTORAGE_AGENT_SOCKET": str(self._root / "no-agent.sock"),
        }  # fmt: skip
        where = self._sites["provisioner" if module == ADOPT else "node"]
        return subprocess.run(
            [sys.executable, "-m", module, *words], cwd=where, env=environment | language, timeout=120,
            stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip

    def said(self, module: str, *words: str, language: dict[str, str] = CHINESE) -> str:
        """What it prints, errors too."""
        done = self.run(module, *words, language=language)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def host(sites: dict[str, Path], tmp_path: Path) -> Host:
    return Host(sites, tmp_path)


def sentences(text: str) -> list[str]:
    """The lines but those of commands and proofs; without what the C library says."""
    text = text.replace("No such file or directory", "")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith(("处理", "依据"))]


def test_doctor_speaks_chinese_with_codes_and_commands_as_they_are(host: Host) -> None:
    said = host.said(CTL, "doctor")
    assert "错误 initiator：/etc/iscsi/initiatorname.iscsi 不存在，所以本节点没有启动器名称。" in said
    assert "处理（node）：echo InitiatorName=$(/sbin/iscsi-iname) >/etc/iscsi/initiatorname.iscsi" in said
    assert [line for line in sentences(said) if not HAN.search(line) or PROSE.search(line)] == []


def test_the_explanation_of_every_code_is_chinese(host: Host) -> None:
    said = host.said(CTL, "codes")
    assert [code.value for code in CATALOGUE if f"{code.value}" not in said] == []
    assert [line for line in said.splitlines() if not HAN.search(line) or PROSE.search(line)] == []


@pytest.mark.parametrize("words", [(), ("fence",), ("barrier", "plan")])
def test_help_is_chinese_with_argparses_own_words(host: Host, words: tuple[str, ...]) -> None:
    said = host.said(CTL, *words, "--help")
    assert said.startswith("用法：instoragectl")
    assert "显示本帮助后退出" in said
    assert PROSE.findall(said) == []


def test_wrong_usage_and_failures_are_chinese(host: Host) -> None:
    assert "无效的选择：'docter'" in host.said(CTL, "docter")
    assert "没有代码 x：«instoragectl codes» 列出所有代码。" in host.said(CTL, "codes", "x")
    assert "请在拥有密钥的置备插件的主机上运行 adopt" in host.said(CTL, "adopt")
    assert "配置无法读取" in host.said(CTL, "arrays")


def test_why_of_a_volume_is_chinese(host: Host) -> None:
    said = host.said(CTL, "why", "pvc-1")
    assert "应由谁处理：" in said
    assert [line for line in sentences(said) if PROSE.search(line)] == []


def test_ext_commands_are_chinese(host: Host, tmp_path: Path) -> None:
    assert host.said(EXT, "ext-help").startswith("支持以下子命令和扩展子命令：\next-help\n")
    file = tmp_path / "instorage.yaml"
    file.write_text("log:\n  enabled: maybe\nhost:\n  link: iscsi\nstorage:\n  - name: a\n")
    said = host.said(EXT, "ext-check-cfg", str(file))
    assert said == f"{file} 第 6 行: storage[0].host 缺失：请添加，例如 host: 10.0.0.1:22。\n"
    assert host.said(EXT, "ext-nothing") == "用法：'ext-nothing' 不是命令；ext-help 列出所有命令\n"


def test_a_provisioners_instoragectl_is_chinese(host: Host) -> None:
    said = host.said(ADOPT, "adopt", "--help")
    assert "用法：" in said
    assert "用于签名的私钥" in said
    assert "instoragectl：" in host.said(ADOPT, "adopt", "--key", "/nowhere/key")


def test_what_scripts_call_stays_english(host: Host) -> None:
    for words in (("create", "v"), ("delete",)):
        said = host.said(EXT, *words)
        assert json.loads(said)["status"] == "Failure"
        assert not HAN.search(said)
    assert host.said(EXT, "ext-version") == host.said(EXT, "ext-version", language=ENGLISH)


@pytest.mark.parametrize("words", [("doctor",), ("why", "pvc-1")], ids=" ".join)
def test_json_is_the_same_in_every_language(host: Host, words: tuple[str, ...]) -> None:
    found = [host.run(CTL, *words, "--json", language=one).stdout for one in (CHINESE, ENGLISH)]
    for said in found:
        assert not HAN.search(said)
    assert len({re.sub(r'"seconds": [0-9.]+|\d+ (s|min)\b', "", said) for said in found}) == 1


def test_another_language_is_english(host: Host) -> None:
    said = host.said(CTL, "codes", "pool-full", language={"LANG": "zh_CN.UTF-8", "LC_ALL": "C"})
    assert said.startswith("pool-full: The pool has not enough room.\n    why: ")


def test_languages_list_goes_before_the_locale(host: Host) -> None:
    said = host.said(CTL, "codes", "pool-full", language={"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"})
    assert "存储池空间不足。" in said


def test_english_loads_nothing_of_it(sites: dict[str, Path]) -> None:
    code = (
        "import sys; from nodeagent.administration.ext import main; sys.argv[1:] = ['ext-help']; main();"
        "print({'argparse', 'gettext', 'instorage.translation'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=sites["node"], env=ENGLISH, timeout=60, capture_output=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


def test_without_a_catalogue_a_chinese_start_is_english(tmp_path: Path, sites: dict[str, Path]) -> None:
    catalogue = sites["provisioner"] / "instorage/locale/zh_CN/LC_MESSAGES/instorage.mo"
    kept = catalogue.read_bytes()
    try:
        for content in (kept[:100], None):
            catalogue.unlink()
            if content is not None:
                catalogue.write_bytes(content)
            said = Host(sites, tmp_path).said(ADOPT, "adopt", "--help")
            assert "sign the PVs" in said or "Prints a signed line" in said
            if content is None:
                break
    finally:
        catalogue.write_bytes(kept)


def test_kubectl_instorage_is_chinese_from_its_one_file(tmp_path: Path) -> None:
    api = Recorded()
    api.storage_class()
    api.lease()
    api.node()
    api.bound()
    api.pod()
    file = tmp_path / plugin.NAME
    plugin.write(file)
    path = f"{kubectl(tmp_path, api)}:/usr/bin:/bin"

    def said(*words: str) -> str:
        done = subprocess.run(
            [file, *words], env=CHINESE | {"PATH": path}, cwd=tmp_path, timeout=60, capture_output=True,
            encoding="utf-8", check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    assert "说明卷、PVC 或 Pod 在等待什么，以及应由谁处理" in said("--help")
    why = said("why", "default/web")
    assert f"该 PVC 已绑定到 PV {VOLUME}。" in why
    assert [line for line in why.splitlines() if PROSE.search(line)] == []
    assert not HAN.search(said("why", "default/web", "--json"))
