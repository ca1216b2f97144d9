"""The profile of a start: what callgrind, readelf and addr2line say becomes what the compiler reads."""

from __future__ import annotations

from collections import Counter

import pytest

from tools.dist import interpreter, sampling

CALLGRIND = """\
ob=/lib/libc.so.6
0x9 0 7
ob=/node/bin/python3.11
fn=main
0x10 0 2
0x14 0 150000
calls=2 0x20 0
0x14 0 900000
0x18 0 150000
fn=called
0x20 0 2
"""
DWARF = """\
 <1><2a>: Abbrev Number: 5 (DW_TAG_subprogram)
    <2b>   DW_AT_low_pc      : 0x10
    <33>   DW_AT_high_pc     : 0x10
    <39>   DW_AT_name        : (indirect string, offset: 0x1f): main
    <3f>   DW_AT_decl_line   : 40
 <1><4a>: Abbrev Number: 6 (DW_TAG_subprogram)
    <4b>   DW_AT_name        : (indirect string, offset: 0x2f): only_declared
    <5f>   DW_AT_decl_line   : 90
 <1><6a>: Abbrev Number: 5 (DW_TAG_subprogram)
    <6b>   DW_AT_low_pc      : 0x20
    <73>   DW_AT_high_pc     : 0x10
    <79>   DW_AT_name        : (indirect string, offset: 0x3f): called
    <7f>   DW_AT_decl_line   : 70
"""


def test_what_is_executed_often_is_written_by_line_and_block() -> None:
    counts = sampling.counted(CALLGRIND.splitlines())
    assert counts == {0x10: 2, 0x14: 150000, 0x18: 150000, 0x20: 2}
    places = {0x10: "a.c:41", 0x14: "a.c:42 (discriminator 2)", 0x18: "a.c:42", 0x20: "a.c:71"}
    written = [*sampling.profile(counts, sampling.functions(DWARF.splitlines()), places)]
    assert written == ["main:300002:2", " 1: 2", " 2: 150000", " 2.1: 150000"]


def test_a_function_of_a_header_is_one_wherever_it_was_compiled() -> None:
    known = [sampling.Function(0, 8, "f", 1), sampling.Function(8, 8, "f", 1)]
    written = [*sampling.profile(Counter({0: 200_000, 8: 300_000}), known, {0: "h.h:2", 8: "h.h:2"})]
    assert written == ["f:300000:500000", " 1: 300000"]


def test_a_place_that_nobody_knows_and_a_name_that_comes_twice_are_passed_over() -> None:
    known = [sampling.Function(0, 8, "f", 1), sampling.Function(8, 8, "f", 5)]
    counts = Counter({0: 200_000, 8: 300_000, 9: 400_000, 99: 500_000})
    places = {0: "a.c:2", 8: "b.c:6", 9: "??:0", 99: "c.c:1"}
    assert [*sampling.profile(counts, known, places)] == ["f:300000:300000", " 1: 300000"]


@pytest.mark.parametrize(("raw", "meant"), [(1, 0), (2, 1), (4, 2), (62, 31), (0xC0, 32)])
def test_discriminators_are_read_as_the_compiler_writes_them(raw: int, meant: int) -> None:
    assert sampling.base(raw) == meant


def test_the_profile_that_is_used_is_whole_and_has_the_interpreters_loop_first() -> None:
    lines = interpreter.PROFILE.read_text().splitlines()
    assert lines[0].startswith("_PyEval_EvalFrameDefault:")
    assert all(line.count(":") == (1 if line.startswith(" ") else 2) for line in lines)
