"""The command line, as a reader of the manual types it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.flags import Flags, Place, Stop, parse, usage

PROGRAM = "./instorage-provisioner"
MANUAL = {
    "about", "alsologtostderr", "flex-volume-driver-name", "kubeconfig", "log_backtrace_at", "log_dir",
    "logtostderr", "provisioner-name", "samplecfg", "stderrthreshold", "strconfig", "v", "vmodule",
}  # fmt: skip


@pytest.mark.parametrize("words", [["-v", "3"], ["-v=3"], ["--v", "3"], ["--v=3"]])
def test_a_value_is_taken_in_every_form_of_go(words: list[str]) -> None:
    assert parse(PROGRAM, words).verbosity == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-logtostderr"], True),
        (["--logtostderr"], True),
        (["-logtostderr=true"], True),
        (["-logtostderr=T"], True),
        (["-logtostderr=0"], False),
        (["-logtostderr", "-about"], True),
    ],
)
def test_a_boolean_needs_no_value(words: list[str], expected: bool) -> None:
    assert parse(PROGRAM, words).to_stderr is expected


def test_the_manuals_command_line_is_understood() -> None:
    words = [
        "-kubefconfig",
        "/root/.kube/kubefconfig",
        "-strconfig",
        "./config/instorage.yaml",
        "-logtostderr",
    ]
    flags = parse(PROGRAM, words)
    assert flags.access == Path("/root/.kube/kubefconfig")
    assert flags.configuration(Path(PROGRAM)) == Path("config/instorage.yaml")
    assert flags.to_stderr


def test_the_manuals_unit_is_understood() -> None:
    folder = "/opt/inspur-instorage-provisioner"
    words = [
        f"-kubefconfig={folder}/config/kubefconfig", f"-strconfig={folder}/config/instorage.yaml",
        "-logtostderr=true",
    ]  # fmt: skip
    flags = parse(f"{folder}/instorage-provisioner", words)
    assert flags.access == Path(folder, "config/kubefconfig")
    assert flags.to_stderr


def test_the_configuration_lies_beside_the_program_by_default() -> None:
    program = Path("/opt/inspur-instorage-provisioner/instorage-provisioner")
    assert Flags().configuration(program) == program.parent / "config/instorage.yaml"


def test_what_follows_the_first_plain_word_is_not_read() -> None:
    assert parse(PROGRAM, ["-v=2", "word", "-v=3"]).verbosity == 2
    assert parse(PROGRAM, ["-v=2", "--", "-v=3"]).verbosity == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-nosuch"], "flag provided but not defined: -nosuch"),
        (["---x"], "bad flag syntax: ---x"),
        (["-=1"], "bad flag syntax: -=1"),
        (["--=1"], "bad flag syntax: --=1"),
        (["-v"], "flag needs an argument: -v"),
        (["-v=x"], 'invalid value "x" for flag -v: parse error'),
        (["-about=maybe"], 'invalid boolean value "maybe" for flag -about: parse error'),
        (["-threads=0"], 'invalid value "0" for flag -threads'),
        (["-stderrthreshold=LOUD"], 'invalid value "LOUD" for flag -stderrthreshold'),
        (["-vmodule=claims"], "expect comma-separated list of filename=N"),
        (["-log_backtrace_at=claims.py"], "expect file:line"),
    ],
)
def test_what_cannot_be_read_ends_with_two_and_the_usage(words: list[str], said: str) -> None:
    with pytest.raises(Stop) as stop:
        parse(PROGRAM, words)
    first, _, rest = str(stop.value).partition("\n")
    assert said in first
    assert rest == usage(PROGRAM)
    assert stop.value.status == 2


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_ends_well(word: str) -> None:
    with pytest.raises(Stop) as stop:
        parse(PROGRAM, [word])
    assert stop.value.status == 0


def test_the_help_has_every_flag_of_the_manual_in_gos_layout() -> None:
    lines = usage(PROGRAM).splitlines()
    assert lines[0] == "Usage of ./instorage-provisioner:"
    names = [match[1] for line in lines if (match := re.match(r"  -(\S+)", line))]
    assert set(names) >= MANUAL | {"insecure", "threads", "kubefconfig"}
    assert names == sorted(names)
    driver = lines.index("  -flex-volume-driver-name string")
    assert lines[driver + 1] == (
        "    \tThe flex volume driver name to be set when create a new PV. "
        '(default "inspur/instorage-flexvolume")'
    )
    assert "  -about" in lines


def test_logging_flags_are_values() -> None:
    words = ["-stderrthreshold=warning", "-vmodule=claims=3,work*=2", "-log_backtrace_at=claims.py:12"]
    flags = parse(PROGRAM, words)
    assert flags.stderr_threshold == 1
    assert flags.modules == (("claims", 3), ("work*", 2))
    assert flags.backtrace_at == Place("claims.py", 12)
