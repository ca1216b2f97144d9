"""What the doctor says of SELinux: mode, module, labels, denials, and that an answer could not be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodeagent.administration.selinux_check import findings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AVC = (
    "avc:  denied  { open } for pid=1 scontext=system_u:system_r:instorage_agent_t:s0 "
    "tcontext=system_u:object_r:shadow_t:s0 tclass=file permissive=0"
)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    (tmp_path / "kernel/booleans").mkdir(parents=True)
    (tmp_path / "kernel/enforce").write_text("1")
    (tmp_path / "kernel/booleans/instorage_anywhere").write_text("0 0")
    (tmp_path / "loaded").write_text("3.0.0 0123456789abcdef\n")
    return tmp_path / "kernel"


def said(kernel: Path, labels: str | None = "", log: str | None = "") -> list[tuple[bool, str]]:
    def program(argv: Sequence[str]) -> str | None:
        return labels if argv[0] == "restorecon" else log

    found = findings(kernel, kernel.parent / "loaded", program)
    assert all(one.command for one in found)
    return [(one.good, one.sentence) for one in found]


def test_a_host_without_selinux_has_nothing_else_to_say(tmp_path: Path) -> None:
    assert said(tmp_path / "none") == [(True, "SELinux is off on this host.")]


def test_a_host_without_our_module_is_told(kernel: Path) -> None:
    (kernel / "booleans/instorage_anywhere").unlink()
    assert [good for good, _ in said(kernel)] == [True, False]
    assert "no module of ours" in said(kernel)[1][1]


def test_all_is_well(kernel: Path) -> None:
    assert all(good for good, _ in said(kernel))
    assert "The module instorage is loaded, version 3.0.0." in [text for _, text in said(kernel)]


def test_permissive_is_said(kernel: Path) -> None:
    (kernel / "enforce").write_text("0")
    assert "permissive" in said(kernel)[0][1]


def test_a_denial_is_told_as_the_rule_that_would_allow_it(kernel: Path) -> None:
    good, text = said(kernel, log=f"a line\n{AVC}\n{AVC}\n")[-1]
    assert not good
    assert "allow instorage_agent_t shadow_t:file open;" in text


def test_a_wrong_label_is_named(kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeagent.administration.selinux_check.LABELLED", (str(tmp_path),))
    shown = f"Would relabel {tmp_path}/x from system_u:object_r:bin_t:s0 to system_u:object_r:lib_t:s0\n"
    assert (False, f"{tmp_path}/x has a label that is not its own.") in said(kernel, labels=shown)


def test_an_answer_that_cannot_be_had_is_not_taken_for_a_good_one(
    kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodeagent.administration.selinux_check.LABELLED", (str(tmp_path),))
    bad = [text for good, text in said(kernel, labels=None, log=None) if not good]
    assert len(bad) == 2
    assert all("cannot be found out" in text for text in bad)


def test_a_module_of_which_nothing_says_the_version_is_to_be_loaded_again(kernel: Path) -> None:
    (kernel.parent / "loaded").unlink()
    assert [text for good, text in said(kernel) if not good] == [
        "The module instorage is loaded, and nothing says which version: load it again."
    ]
