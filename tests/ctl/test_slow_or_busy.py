"""A slow array is told from a node that has no processor for the programs which ask it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from typing import Any

import pytest

from instorage.wire.fault import Code, Fault
from nodeagent.administration.doctor import arrays, processor
from nodeagent.administration.doctor.host import ArrayEntry, Host, Setup
from nodeagent.administration.doctor.looks import Looks

pytestmark = pytest.mark.subprocess

SETUP = Setup("", "", "", "", (), arrays=(ArrayEntry("storage-01", "192.0.2.1", 22),))
SPIN = "import time; print(flush=True)\nwhile True: time.monotonic()"


def found(answer: dict[str, Any]) -> list[tuple[str, str, str]]:
    host = Host(Looks(kept={"arrays 1": answer}), SETUP)
    return [(one.code, one.severity.value, one.who.value) for one in arrays.check(host)]


def answered(seconds: float, **more: float) -> list[tuple[str, str, str]]:
    return found({"is": {"storage-01": {"seconds": seconds, **more}}})


def unanswered(waited: float) -> list[tuple[str, str, str]]:
    text = "The arrays did not answer within 20 s."
    return found({"fault": Fault(Code.TIMEOUT, text, seconds="20.0", waited=str(waited)).to_wire()})


def test_an_array_that_is_slow_by_itself_is_told_of() -> None:
    assert answered(3.5, waited=0.2) == [("array-slow", "warning", "array")]
    assert answered(9.0, waited=5.0) == [("array-slow", "warning", "array")]
    assert answered(3.5) == [("array-slow", "warning", "array")]  # of a bundle from before


def test_a_node_without_a_free_processor_is_no_slow_array() -> None:
    assert answered(9.0, waited=7.0) == [("node-busy", "ok", "node")]
    assert answered(2.9, waited=2.9) == []


def test_an_array_that_does_not_answer_is_an_error_but_of_a_starved_node_nothing_is_known() -> None:
    assert unanswered(1.0) == [("timeout", "error", "array")]
    assert unanswered(15.0) == [("node-busy", "warning", "node")]


def test_of_an_array_that_fails_late_a_starved_node_knows_nothing_but_what_it_answered_counts() -> None:
    def failed(code: Code, seconds: float, waited: float) -> list[tuple[str, str, str]]:
        fault = Fault(code, "It is so.").to_wire()
        return found({"is": {"storage-01": {"seconds": seconds, "waited": waited, "fault": fault}}})

    assert failed(Code.ARRAY_UNREACHABLE, 15.0, 1.0) == [("array-unreachable", "error", "san")]
    assert failed(Code.ARRAY_UNREACHABLE, 15.0, 12.0) == [("node-busy", "warning", "node")]
    assert failed(Code.ARRAY_UNREACHABLE, 0.1, 0.09) == [("array-unreachable", "error", "san")]
    assert failed(Code.ARRAY_SESSIONS, 15.0, 12.0) == [("array-sessions", "error", "array")]


def test_what_a_process_waits_for_a_processor_is_what_others_on_it_took() -> None:
    processor_number = min(os.sched_getaffinity(0))
    spinning = [
        subprocess.Popen(
            ["taskset", "-c", str(processor_number), sys.executable, "-c", SPIN], stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        for one in spinning:
            assert one.stdout is not None
            one.stdout.readline()
        before, began = processor.waited(spinning[0].pid), time.monotonic()
        while processor.waited(spinning[0].pid) - before < 0.2:  # one of the two waits, always
            assert time.monotonic() - began < 20
        assert processor.waited(spinning[0].pid) - before <= time.monotonic() - began + 0.1
    finally:
        for one in spinning:
            one.kill()
            one.communicate()


def test_a_process_that_sleeps_waits_for_no_processor() -> None:
    sleeping = subprocess.Popen(["sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE)
    try:
        begun = sleeping.stdout
        assert begun is not None
        begun.readline()
        before = processor.waited(sleeping.pid)
        select.select([begun], [], [], 1.0)  # a second in which it says nothing
        assert processor.waited(sleeping.pid) - before < 0.3
    finally:
        sleeping.kill()
        sleeping.communicate()


def test_a_process_that_is_gone_waited_for_nothing() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert processor.waited(gone.pid) == 0.0
