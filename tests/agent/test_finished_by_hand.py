"""An expansion that was broken off and finished by hand as the barrier file prints it (manual, chapter 6).

The commands are taken from the file as a person would, and given to the array over SSH.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from instorage.arrays.expansion import NINE, Step
from nodeagent.administration import barrier, ctl
from tests.agent.bench import GIB
from tests.agent.expanding import COMMAND, VOLUME, Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

pytestmark = pytest.mark.slow


def printed(pair: Pair) -> list[str]:
    """The commands of the barrier file, in its order."""
    return re.findall(r"^    (mcsop .+)$", pair.bench.helper.barrier.read_text(), re.MULTILINE)


def give(pair: Pair, commands: Iterable[str]) -> None:
    for command in commands:
        ran = pair.bench.array._ssh.run(command, 5)
        assert ran.status == 0, (command, ran)


def by_hand(pair: Pair) -> None:
    """Do what the file says, and remove it."""
    give(pair, printed(pair))
    pair.bench.helper.barrier.unlink()


def grows(pair: Pair) -> None:
    """The next try goes on without a command that changes anything, and nothing is left."""
    pair.bench.reset()
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    assert [name for name in pair.bench.commands() if not name.startswith("ls")] == []
    assert pair.bench.helper.filesystems[pair.uid] == 2 * GIB
    pair.assert_whole()


@pytest.mark.parametrize("step", NINE)
def test_who_gives_the_printed_commands_and_removes_the_file_is_done(pair: Pair, step: Step) -> None:
    pair.break_off(step)
    pair.bench.do("clear")
    pair.write()  # the application goes on
    text = pair.bench.helper.barrier.read_text()
    assert len(printed(pair)) == len(NINE) - step.number + 1
    assert "-sync" not in "".join(printed(pair))
    assert ("is copied to the aux" in text) == (step.number <= Step.TIE.number)
    assert ("nothing is copied" in text.replace("with -sync: nothing is copied", "")) == (
        step.number > Step.TIE.number or step is Step.UNTIE
    )
    by_hand(pair)
    pair.bench.create("other")
    pair.bench.attach("other").success()
    grows(pair)


@pytest.mark.parametrize("step", [Step.UNTIE, Step.GROW_AUX, Step.TIE])
def test_the_manuals_sync_is_taken_by_the_word_of_who_removed_the_file(pair: Pair, step: Step) -> None:
    pair.break_off(step)
    pair.bench.do("clear")
    assert "never with -sync, unless" in pair.bench.helper.barrier.read_text().replace("\n   ", " ")
    give(pair, [one.replace(" -activeactive", " -sync -activeactive") for one in printed(pair)])
    pair.expand().failure(str(pair.bench.helper.barrier))
    pair.bench.helper.barrier.unlink()
    pair.bench.reset()
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    assert not pair.bench.helper.kept
    assert [name for name in pair.bench.commands() if not name.startswith("ls")] == []


@pytest.mark.parametrize("step", [Step.UNTIE, Step.GROW_MASTER_CHANGE, Step.ACCESS])
def test_half_finished_is_refused_with_what_is_left(pair: Pair, step: Step) -> None:
    pair.break_off(step)
    pair.bench.do("clear")
    first, *left = printed(pair)
    give(pair, [first])
    pair.bench.helper.barrier.unlink()
    pair.bench.reset()
    said = pair.expand().failure("was broken off and is not finished")
    assert f"left on array storage-01, in this order: {'; '.join(left)}." in said
    assert f"instoragectl barrier resume {VOLUME}" in said
    assert pair.uid in pair.bench.helper.kept
    assert [name for name in pair.bench.commands() if not name.startswith("ls")] == []
    give(pair, left)
    grows(pair)


def test_a_command_that_was_forgotten_is_named_and_nothing_else(pair: Pair) -> None:
    pair.break_off(Step.GROW_AUX)
    pair.bench.do("clear")
    commands = printed(pair)
    (forgotten,) = [one for one in commands if "addvdiskaccess" in one]
    give(pair, [one for one in commands if one != forgotten])
    pair.bench.helper.barrier.unlink()
    assert f"in this order: {forgotten}." in pair.expand().failure("is not finished")
    assert pair.uid in pair.bench.helper.kept
    give(pair, [forgotten])
    grows(pair)


def test_a_file_removed_before_anything_was_done_lets_it_begin_anew(pair: Pair) -> None:
    pair.break_off(Step.UNTIE)
    pair.bench.do("clear")
    assert "Nothing was done yet: remove this file" in pair.bench.helper.barrier.read_text()
    pair.bench.helper.barrier.unlink()
    assert pair.expand().success().answer["volumeNewSize"] == 2 * GIB
    pair.assert_whole()


def test_while_the_array_may_still_do_what_was_sent_nothing_is_forgotten(pair: Pair) -> None:
    pair.bench.helper.before[Step.GROW_AUX] = lambda: pair.bench.do(
        "fault", command="expandvdisksize", before="connection"
    )
    pair.expand().failure("step 3 of 9")
    pair.bench.do("clear")
    assert "Not before 20" in pair.bench.helper.barrier.read_text()
    assert "Not now: for " in pair.plan()
    by_hand(pair)
    pair.expand().failure("array storage-01 may still do what was sent last")
    assert pair.uid in pair.bench.helper.kept
    pair.age()
    grows(pair)


def array_is_lost(pair: Pair) -> None:
    pair.bench.do("fault", command=COMMAND[Step.TIE], before="connection")


def freeze_is_lost(pair: Pair) -> None:
    """The freeze ends while the -sync is under way, and the array refuses to untie again."""
    pair.bench.helper.thaw_by_hand(pair.uid)
    pair.bench.do("fault", command=COMMAND[Step.UNTIE], error="CMMVC5982E")


@pytest.mark.parametrize("trouble", [array_is_lost, freeze_is_lost])
def test_a_sync_of_our_own_that_nobody_vouches_for_is_not_taken_for_work_by_hand(
    pair: Pair, trouble: Callable[[Pair], None]
) -> None:
    pair.bench.helper.before[Step.TIE] = partial(trouble, pair)
    pair.expand().failure("broke off at")
    pair.bench.do("clear")
    pair.write()
    pair.age()
    assert "By hand alone it is not finished" in pair.bench.helper.barrier.read_text()
    tie = f"mcsop mkrcrelationship -master {VOLUME} -aux {pair.names['aux']} -cluster mcs1"
    rest = [one.command for one in pair.bench.array.expansion_plan(pair.record).commands][-3:]
    give(pair, [] if trouble is freeze_is_lost else [f"{tie} -sync -activeactive"])
    give(pair, rest)
    pair.bench.helper.barrier.unlink()
    said = pair.expand().failure("By hand alone it does not end")
    assert "mcsop rmrcrelationship" in said
    assert pair.uid in pair.bench.helper.kept
    assert "is whole" in pair.resume()
    grows(pair)


def test_clear_forgets_what_was_finished_by_hand(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    pair.break_off(Step.TIE)
    pair.bench.do("clear")
    give(pair, printed(pair))
    assert "The array shows it whole again" in pair.plan()
    assert ctl.main(["barrier", "clear", "--config", str(pair.bench.paths.configuration)]) == 0
    assert "was made whole by hand" in capsys.readouterr().out
    grows(pair)


def test_resume_takes_no_word_and_copies_anew(pair: Pair) -> None:
    pair.break_off(Step.TIE)
    pair.bench.do("clear")
    give(pair, [one.replace(" -activeactive", " -sync -activeactive") for one in printed(pair)])
    pair.write()
    pair.bench.reset()
    assert "is whole" in "\n".join(barrier.resume(pair.bench.paths.configuration, None, lambda _: None))
    assert "mkrcrelationship" in pair.bench.commands()
    assert pair.syncs() == 0
    grows(pair)


def test_detach_lets_a_volume_go_that_was_finished_by_hand(pair: Pair) -> None:
    bench = pair.bench
    pair.break_off(Step.TIE)
    bench.do("clear")
    bench.make_host("iscsi-node2", "iqn.1993-08.org.debian:01:node2")
    bench.map(VOLUME, "iscsi-node2", share=True)
    bench.do("logins", port="iqn.1993-08.org.debian:01:node2", nodes=[])
    commands = printed(pair)
    give(pair, commands[:-1])
    bench.helper.barrier.unlink()
    bench.call("detach", VOLUME, "node2").failure()
    assert "iscsi-node2" in bench.maps(VOLUME)
    give(pair, commands[-1:])
    bench.call("detach", VOLUME, "node2").success()
    assert bench.maps(VOLUME) == ["iscsi-node1"]


def test_a_volume_that_another_node_has_grown_since_is_not_asked_about_for_ever(pair: Pair) -> None:
    pair.break_off(Step.TIE)
    pair.bench.do("clear")
    by_hand(pair)
    kept = dict(pair.bench.helper.kept)
    assert pair.expand(3 * GIB).success().answer["volumeNewSize"] == 3 * GIB
    pair.bench.helper.kept.update(kept)  # this node's, of before
    assert pair.expand(4 * GIB).success().answer["volumeNewSize"] == 4 * GIB
    pair.assert_whole(4 * GIB)
