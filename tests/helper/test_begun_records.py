"""A node record that was begun and not set up is ours, whatever iscsid.conf has made of it (safety.md 2)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from helper import iscsi
from instorage.wire.values import Iqn, Lun, Portal
from instorage.wire.verbs import IscsiPath
from tests.helper.sysfs import TARGET

if TYPE_CHECKING:
    from tests.helper.host import Host

pytestmark = pytest.mark.subprocess
PORTAL = "10.9.0.1:3260"
NODE = f"iscsiadm -m node -T {TARGET} -p {PORTAL}"


def connect() -> None:
    iscsi.connect([IscsiPath(Portal.parse(PORTAL), Iqn.parse(TARGET), Lun.parse(1))], time.monotonic() + 4)


def asked(host: Host) -> list[str]:
    """What iscsiadm was asked for the portal, in short."""
    words = [event.removeprefix(NODE).split() for event in host.events if event.startswith(NODE)]
    return [word[1] if word[:1] == ["-o"] else "".join(word) for word in words]


KILLED = """case "$*" in
*new*) echo "node.startup = automatic" > {at}/record; {new};;
*update*) {update};;
*login*) exit 8;;
*) cat {at}/record 2>/dev/null || exit 21;;
esac"""  # by iscsid.conf each record begins so


def killed(host: Host, *, new: str = "", update: str = "") -> None:
    """Somebody is killed the first time that iscsiadm is asked for this."""
    once = f"test -e {host.root}/killed || {{ touch {host.root}/killed; %s; }}"
    deeds = {name: once % deed if deed else "true" for name, deed in (("new", new), ("update", update))}
    host.script("iscsiadm", KILLED.format(at=host.root, **deeds))


def test_a_record_that_was_not_set_up_to_its_end_is_no_administrators(host: Host) -> None:
    """A login through it would bring every LUN, and come back with each boot."""
    killed(host, update="kill -9 $PPID")
    for _ in range(2):
        connect()
    assert asked(host) == ["", "new", "update", "", "update", "--login"]


def test_a_record_whose_program_was_killed_is_none_either(host: Host) -> None:
    """It had written it before."""
    killed(host, new="kill -9 $$")
    for _ in range(2):
        connect()
    assert asked(host) == ["", "new", "", "update", "--login"]


def test_a_record_that_an_administrator_made_after_ours_was_set_up_is_his(host: Host) -> None:
    killed(host, update="kill -9 $PPID")
    for _ in range(3):
        connect()
    assert asked(host)[-2:] == ["", "--login"]


@pytest.mark.parametrize("fails", ["new", "update"])
def test_an_administrators_record_after_our_own_failed_is_his(host: Host, fails: str) -> None:
    """Nothing of ours is left of it, and what he makes then is not set to manual."""
    record = host.root / "record"
    host.script(
        "iscsiadm",
        f"""case "$*" in
        *{fails}*) exit 7;;
        *new*) touch {record};;
        *delete*) rm {record};;
        *login*) exit 8;;
        *) cat {record} 2>/dev/null || exit 21;;
        esac""",
    )
    connect()
    assert not record.exists()
    record.write_text("node.startup = automatic")
    connect()
    assert asked(host)[-2:] == ["", "--login"]
