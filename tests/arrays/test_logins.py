"""When an array's word counts as «logged out»: every port, in every answer, in words that are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.arrays.as18000 import logins
from instorage.arrays.as18000.session import hesitation
from instorage.arrays.as18000.session.cli import Cli
from instorage.arrays.as18000.session.refusal import Output
from instorage.arrays.endpoint import Limits
from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from instorage.arrays.logins import HostLogins

IQN, WWPN = "iqn.1993-08.org.debian:01:node2", "2100001b32a1b2c3"
FABRIC = (
    "remote_wwpn!remote_nportid!id!node_name!local_wwpn!local_port!local_nportid!state!name!cluster_name"
    "!type\n"
)
IN = "node_logged_in_count!2\nstate!active\n"
OUT = "node_logged_in_count!0\nstate!offline\n"


class Scripted:
    """An array that answers lshost and lsfabric with what is given; a list is answered item by item."""

    def __init__(self, lshost: str, lsfabric: str) -> None:
        self.answers = {"lshost": lshost, "lsfabric": lsfabric}

    def run(self, command: str, _: float, before: Callable[[], None]) -> Output:
        before()
        return Output(0, self.answers[command.split()[1]], "")


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hesitation, "LOOK_AGAIN", 0.0)


def host(*ports: str, count: int | None = None, status: str = "offline") -> str:
    number = len(ports) if count is None else count
    return f"id!7\nname!h\nport_count!{number}\nstatus!{status}\n" + "".join(ports)


def iscsi(rest: str = OUT) -> str:
    return f"iscsi_name!{IQN}\n{rest}"


def fc(rest: str = OUT) -> str:
    return f"WWPN!{WWPN.upper()}\n{rest}"


def row(wwpn: str = WWPN.upper(), state: str = "active", name: str = "h") -> str:
    return FABRIC + f"{wwpn}!010001!1!node1!500507680540EA01!1!010001!{state}!{name}!!host\n"


def read(lshost: str, lsfabric: str = "") -> HostLogins:
    scripted: Any = Scripted(lshost, lsfabric)
    found = logins.read(Cli("storage-01", scripted, Limits()), "h")
    assert found is not None
    return found


@pytest.mark.parametrize(
    "lshost",
    [
        host(iscsi()),
        host(iscsi("node_logged_in_count!0\nstate!inactive\n")),
        host(fc()),
        host(iscsi(), fc()),
        host(),
    ],
    ids=["iscsi", "without a volume", "fc", "mixed", "no port"],
)
@pytest.mark.parametrize("fabric", ["", FABRIC])
def test_a_host_whose_every_port_is_out_by_every_answer_is_out(lshost: str, fabric: str) -> None:
    assert read(lshost, fabric).why_not_out == ""


@pytest.mark.parametrize(
    ("lshost", "fabric", "said"),
    [
        (host(iscsi(IN), status="online"), "", "at 2 of the array's nodes"),
        (host(iscsi("node_logged_in_count!0\nstate!active\n")), "", "«active» by lshost"),
        (host(iscsi(), fc(IN), status="degraded"), "", "so the node lives"),
        (host(fc()), row(), "at node1 by lsfabric"),
        (host(fc()), row(state="blocked"), "at node1 by lsfabric"),
        (host(fc()), row(state="inactive"), "at node1 by lsfabric"),
        (host(fc()), row(name=""), "at node1 by lsfabric"),
        (host(fc()), row(name="another"), "at node1 by lsfabric"),
        (host(iscsi(), fc()), row(), f"{WWPN}: at node1"),
    ],
)  # fmt: skip
def test_any_login_in_any_answer_is_one(lshost: str, fabric: str, said: str) -> None:
    why = read(lshost, fabric).why_not_out
    assert "host object h is logged in, so the node lives" in why
    assert said in why


def test_that_an_hba_stays_logged_in_while_its_machine_hangs_is_said_of_fc_alone() -> None:
    assert "hangs" in read(host(fc(IN))).why_not_out
    assert "hangs" not in read(host(iscsi(IN), fc(IN))).why_not_out


@pytest.mark.parametrize(
    ("lshost", "said"),
    [
        (host(iscsi("node_logged_in_count!0\nstate!degraded\n")), "its state by lshost is «degraded»"),
        (host(fc("node_logged_in_count!0\nstate!unknown\n")), "its state by lshost is «unknown»"),
        (host(iscsi("node_logged_in_count!0\n")), "lshost names no state of it"),
        (host(iscsi(), count=2), "1 of its ports are not named"),
        (host(iscsi(), f"new_name!x\n{IN}", count=1), "1 of its ports are not named"),
        (host(count=1), "1 of its ports are not named"),
        (host(iscsi(), status="online"), "the array calls the object «online»"),
        (host(iscsi(), status="degraded"), "the array calls the object «degraded»"),
    ],
)
def test_what_the_array_says_in_other_words_or_not_at_all_is_no_word_that_it_is_out(
    lshost: str, said: str
) -> None:
    why = read(lshost).why_not_out
    assert "whether its host object h is logged in is not known" in why
    assert said in why


@pytest.mark.parametrize(
    ("lshost", "fabric"),
    [
        (host(iscsi("state!offline\n")), ""),
        (host(iscsi("node_logged_in_count!\nstate!offline\n")), ""),
        (host(fc("node_logged_in_count!none\nstate!offline\n")), ""),
        ("id!7\nname!h\n", ""),
        (host(fc()), "remote_nportid!id\n010001!1\n"),
        (host(fc()), row(wwpn="50050768054007FF")),
        (host(fc()), "A message of the day\nover two lines\n"),
    ],
)
def test_an_answer_that_is_cut_off_or_about_something_else_is_an_error_and_no_proof(
    lshost: str, fabric: str
) -> None:
    with pytest.raises(Fault) as caught:
        read(lshost, fabric)
    assert caught.value.code is Code.ARRAY_ANSWER


WORDS = st.sampled_from(["active", "online", "offline", "inactive", "degraded", "", "blocked", "Offline"])
COUNTS = st.sampled_from(["0", "1", "2", "", "-1", "x"])
PORTS = st.lists(
    st.tuples(st.sampled_from(["iscsi_name", "WWPN", "SAS_WWPN", "nqn", "new_name"]), COUNTS, WORDS)
)


@given(PORTS, st.integers(0, 5), st.sampled_from(["offline", "online", "degraded", ""]))
def test_whatever_lshost_prints_out_means_that_each_port_is_shown_and_out(
    ports: list[tuple[str, str, str]], count: int, status: str
) -> None:
    groups = [
        f"{key}!{WWPN.upper() if 'WWPN' in key else key}\nnode_logged_in_count!{logged}\nstate!{word}\n"
        for key, logged, word in ports
    ]
    try:
        out = read(host(*groups, count=count, status=status)).why_not_out == ""
    except Fault as fault:
        assert fault.code is Code.ARRAY_ANSWER
        return
    if out:
        assert all(logged == "0" and word in ("offline", "inactive") for _, logged, word in ports)
        assert all(key != "new_name" for key, _, _ in ports)
        assert count <= len(ports)
        assert status in ("", "offline")
