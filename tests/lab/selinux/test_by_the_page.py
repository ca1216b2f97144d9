"""What docs/selinux.md has typed: labels looked at and given, denials shown, a domain and silence let go.

What is linked here for the other modules goes with the first command that makes the policy anew: then it is
the machine's own, as a site has it, in which a Python enters the helper's domain by the helper's label alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs.commands import all_commands
from tests.lab.node.test_logs import logging_to
from tests.lab.reachability import wait_until
from tests.lab.selinux.test_life import enforcing
from tests.soak import IN_SOAK
from tools.lab import denials
from tools.lab.kubelet import STUB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.lab import Machine
    from tools.lab.product import Product

pytestmark = [pytest.mark.lab, pytest.mark.timeout(2400), IN_SOAK]
LIMIT = 120  # seconds for a command in an emulated machine
REBUILT = 600  # seconds for one that links the policy anew
SHOWN = 60.0  # seconds until the journal has what was denied
TRIED = "/usr/local/sbin/tried-as-helper"
# Not open(): it would ask for more than the one right.
APPEND = f'runcon system_u:system_r:instorage_helper_t:s0 {TRIED} -I -c "import os; os.open({{!r}}, {{}})"'
FLAGS = "os.O_WRONLY | os.O_APPEND"
LOGS = "/srv/logs"
LOG = f"{LOGS}/instorage-nodeagent.log"
DROP_IN = "/etc/systemd/system/instorage-nodeagent.service.d/logdir.conf"
RESTART = "systemctl daemon-reload && systemctl restart instorage-nodeagent"
AS_HELPER = "allow instorage_helper_t etc_t:file append;"
OF_LOGS = "allow instorage_agent_t var_t:dir write;"
DENIED = (
    AS_HELPER,
    OF_LOGS,
    *(f"allow instorage_agent_t var_t:dir {what};" for what in ("add_name", "read")),
)
OF_DENIAL = ("{ append }", ":instorage_helper_t:", ":etc_t:", "tclass=file", "permissive=0")
SILENT = "instorage_stub_t:s0 tcontext=system_u:system_r:instorage_ext_t:s0 tclass=process"
AUDITD = "/usr/sbin/auditd -n"
LISTENS = "auditctl -s | grep -q '^pid [1-9]'"


def of_page(begin: str, **words: str) -> str:
    """The one command of the page that begins so, with these words in place of its own."""
    (line,) = (
        one for one, pages in all_commands().items() if one.startswith(begin) and "docs/selinux.md" in pages
    )
    for word, this in words.items():
        assert word in line, line
        line = line.replace(word, this)
    return line


JOURNAL = of_page("journalctl -b _TRANSPORT=audit")
AUDIT = f"{of_page('ausearch')} </dev/null"  # it would read a pipe in place of the log


@pytest.fixture(scope="module")
def node(enforced: Product) -> Machine:
    """Node a with a Python that has the label of the helper's program."""
    enforced.machine.run(f"cp -L /usr/bin/python3 {TRIED} && chcon -t instorage_helper_exec_t {TRIED}", LIMIT)
    return enforced.machine


def denied(node: Machine, file: str, *, permissive: bool = False) -> str:
    """Append to a file of /etc, as root can and the helper may not; return how a line names the file."""
    node.run(f"touch {file} && chcon -t etc_t {file} && : >>{file}", LIMIT)
    done = node.run(APPEND.format(file, FLAGS), LIMIT, check=False)
    assert (done.exit_status == 0) is permissive, done.stderr
    assert permissive or "Permission denied" in done.stderr
    return f'name="{file.rpartition("/")[2]}"'


def shows(node: Machine, look: str, *words: str) -> bool:
    """Tell whether what a command prints has a line with all of these words."""
    lines = node.run(look, LIMIT, check=False).stdout.splitlines()
    return any(all(word in line for word in words) for line in lines)


def test_a_wrong_label_is_named_and_left_by_the_look_and_mended_by_the_command(node: Machine) -> None:
    folder = "/var/lib/instorage/tried"
    node.run(f"mkdir -p {folder} && touch {folder}/file && chcon -t tmp_t {folder}/file", LIMIT)
    label = f"stat -c %C {folder}/file"
    said = node.run(f"restorecon -nvR {folder}", LIMIT).stdout
    (line,) = said.splitlines()
    assert f"{folder}/file " in line
    assert line.index(":tmp_t:") < line.index(":instorage_agent_state_t:")
    assert ":tmp_t:" in node.run(label, LIMIT).stdout, "the look changes nothing"
    node.run(f"restorecon -R {folder}", LIMIT)
    assert ":instorage_agent_state_t:" in node.run(label, LIMIT).stdout
    assert node.run(f"restorecon -nvR {folder}", LIMIT).stdout == ""
    node.run(f"rm -r {folder}", LIMIT)


def test_the_journal_shows_who_was_denied_what(node: Machine) -> None:
    named = denied(node, "/etc/tried-journal")
    wait_until(lambda: shows(node, JOURNAL, named, *OF_DENIAL), SHOWN)


@pytest.fixture
def auditd(node: Machine) -> Iterator[None]:
    """An auditd beside the journal, without rules or settings of its own."""
    node.run(f"systemd-run -q --unit=lab-auditd {AUDITD}", LIMIT)
    wait_until(lambda: node.run(LISTENS, LIMIT, check=False).exit_status == 0, SHOWN)
    yield
    node.run("systemctl stop lab-auditd", LIMIT)


@pytest.mark.usefixtures("auditd")
def test_with_auditd_its_own_search_shows_it(node: Machine) -> None:
    named = denied(node, "/etc/tried-auditd")
    wait_until(lambda: shows(node, AUDIT, named, *OF_DENIAL), SHOWN)


@pytest.fixture
def elsewhere(enforced: Product) -> Iterator[Machine]:
    """A log directory that the agent's unit allows, and whose label is none of ours."""
    node = enforced.machine
    node.run(f"install -d -m 1770 -g instorage {LOGS} && chcon -t var_t {LOGS}", LIMIT)
    node.put(DROP_IN, f"[Service]\nReadWritePaths=-{LOGS}\n")
    node.run(RESTART, LIMIT)
    yield node
    node.run(f"semanage fcontext -d '{LOGS}(/.*)?'", REBUILT, check=False)
    node.run(f"rm -r {DROP_IN} {LOGS} && {RESTART}", LIMIT)


def test_a_log_directory_elsewhere_gets_the_agents_lines_once_it_has_the_label(
    enforced: Product, elsewhere: Machine
) -> None:
    node = elsewhere
    written = f"test -s {LOG}"
    with logging_to(enforced, LOGS):
        wait_until(lambda: OF_LOGS in denials.of(node), LIMIT)
        assert node.run(written, LIMIT, check=False).exit_status
        node.run(of_page("semanage fcontext", DIRECTORY=LOGS), REBUILT)
        assert f"{LOGS}(/.*)?" in node.run("semanage fcontext -l -C -n", LIMIT).stdout.split()
        node.run(of_page("restorecon -R D", DIRECTORY=LOGS), LIMIT)
        assert ":instorage_log_t:" in node.run(f"stat -c %C {LOGS}", LIMIT).stdout
        node.run("systemctl restart instorage-nodeagent", LIMIT)
        wait_until(lambda: node.run(written, LIMIT, check=False).exit_status == 0, LIMIT)
        assert ":instorage_log_t:" in node.run(f"stat -c %C {LOG}", LIMIT).stdout


def permissive(node: Machine) -> bool:
    return "instorage_helper_t" in node.run("semanage permissive -l", REBUILT).stdout.split()


def test_one_domain_runs_permissive_for_a_while_and_is_still_heard(node: Machine) -> None:
    assert not permissive(node)
    node.run("semanage permissive -a instorage_helper_t", REBUILT)
    try:
        assert permissive(node)
        assert enforcing(node), "the others are"
        named = denied(node, "/etc/tried-permissive", permissive=True)
        wait_until(lambda: shows(node, JOURNAL, named, ":instorage_helper_t:", "permissive=1"), SHOWN)
    finally:
        node.run("semanage permissive -d instorage_helper_t", REBUILT)
    assert not permissive(node)
    denied(node, "/etc/tried-permissive")


def kept_silent(node: Machine, number: int) -> int:
    """Have the stub start another program, and count what the journal has of that in the end.

    What is denied aloud behind it is there: so everything before it is, too.
    """
    node.run(f"{STUB} ext-check-cfg", LIMIT)
    named = denied(node, f"/etc/tried-behind-{number}")
    wait_until(lambda: shows(node, JOURNAL, named), SHOWN)
    lines = node.run(JOURNAL, LIMIT).stdout.splitlines()
    return sum(SILENT in line for line in lines)


def test_rules_that_keep_silent_are_shown_and_are_silent_again(node: Machine) -> None:
    node.run("semodule -B", REBUILT)  # the machine's own policy, whatever ran before
    before = kept_silent(node, 1)
    assert kept_silent(node, 2) == before
    node.run("semodule -DB", REBUILT)
    try:
        shown = kept_silent(node, 3)
    finally:
        node.run("semodule -B", REBUILT)
    assert shown > before
    assert kept_silent(node, 4) == shown
