"""Every mistake in the configuration is named with file, line, key and mend; nothing else ever comes out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instorage.configuration import sample
from instorage.configuration.settings import Configuration, load
from instorage.wire.fault import Fault
from tests.configuration.conftest import SMALL, refusal, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "written_as",
    [
        "10.0.0.1",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:ssh",
        "10.0.0.300:22",
        "fd00::1:22",
        '":22"',
        "a b:22",
        "'[10.0.0.1]:22'",
        "'[x]:22'",
        "10.0.0.1:²",
        "'fd00::1'",
    ],
)
def test_a_wrong_address_is_refused_with_an_example(file: Path, written_as: str) -> None:
    sentence = refusal(file, SMALL.replace("10.0.0.1:22", written_as))
    assert "storage[0].host" in sentence
    assert "10.0.0.1:22" in sentence


MISTAKES = [
    ("link: fc", "lnik: fc", "host.lnik is not a known key; did you mean link?"),
    ("link: fc", "link: fc\n  forceusemultipath: true", "did you mean forceUseMultipath?"),
    ("link: fc", "link: fc\n  zzz: 1", "host.zzz is not a known key; known here: link,"),
    ("link: fc", "link: usb", "host.link is 'usb': allowed are iscsi, fc"),
    ("link: fc", "fence: never", "host.link is missing: add link: iscsi or link: fc"),
    ("link: fc", "link: [fc]", "host.link must be one text"),
    ("link: fc", "link: fc\n  forceUseMultipath: 1", "host.forceUseMultipath must be true or false"),
    ("link: fc", "link: fc\n  forceUseMultipath: 'true'", "host.forceUseMultipath must be true or false"),
    ("link: fc", "link: fc\n  scsiScanRetryTimes: three", "host.scsiScanRetryTimes must be a whole number"),
    ("link: fc", "link: fc\n  scsiScanRetryTimes: -1", "host.scsiScanRetryTimes must be a whole number"),
    ("link: fc", "link: fc\n  scsiScanRetryTimes: 1.5", "host.scsiScanRetryTimes must be a whole number"),
    (
        "link: fc",
        "link: fc\n  scsiScanWaitInterval: 1s",
        "host.scsiScanWaitInterval must be a number of seconds",
    ),
    (
        "link: fc",
        "link: fc\n  multipathResizeDelay: 9999999",
        "host.multipathResizeDelay must be a number of sec",
    ),
    ("link: fc", "link: fc\n  fence: maybe", "host.fence is 'maybe': allowed are node-lost, always, never"),
    ("link: fc", "link: fc\n  nodeName: a b", "host.nodeName must have 1 to 253 letters"),
    ("link: fc", "link: fc\n  objects: {n1: x, n2: x}", "gives the host object 'x' to n1 and to n2"),
    ("link: fc", "link: fc\n  objects: x", "host.objects must be a group of keys"),
    ("link: fc", "link: fc\n  objects: {n1: [x]}", "host.objects.n1 must be one text"),
    ("link: fc", "link: fc\n  volumeKey: {a: b}", "host.volumeKey must be one text"),
    ("link: fc", "link: fc\n  volumeKey: [[a]]", "host.volumeKey[0] must be one text"),
    ("link: fc", "link: fc\n  volumeKey: []", "host.volumeKey is an empty list: add a provisioner's line"),
    (
        "link: fc",
        "link: fc\n  volumeKey: ed25519:AAAA",
        "host.volumeKey has 'ed25519:AAAA', which is no public",
    ),
    ("link: fc", f"link: fc\n  volumeKey: [{'A' * 43}=]", "copy the one that the provisioner prints"),
    (
        "link: fc",
        "link: fc\n  mountContext: container_file_t",
        "host.mountContext has 'container_file_t': ",
    ),
    ("link: fc", "link: fc\n  directNames: [db-*, a/b]", "host.directNames has 'a/b': a pattern has"),
    ("link: fc", "link: fc\n  link: iscsi", "line 3: the key 'link' stands there a second time"),
    ("host:\n  link: fc", "host: fc", "host must be a group of keys"),
    ("host:\n  link: fc\n", "", "host is missing"),
    ("host:", "hosts: 1\nhost:", "hosts is not a known key; did you mean host?"),
    ("host:", "log:\n  logdirr: x\nhost:", "log.logdirr is not a known key; did you mean logdir?"),
    ("host:", "log:\n  level: loud\nhost:", "log.level is 'loud': allowed are debug, info, warning, error"),
    ("host:", "log:\n  logrotatemaxsize: 5X\nhost:", "log.logrotatemaxsize must be a number of bytes"),
    ("name: a\n  ", "", "storage[0].name is missing: add it, for example name: storage-01"),
    ("name: a", "name: ../a", "storage[0].name must have"),
    ("name: a", "nmae: a", "storage[0].nmae is not a known key; did you mean name?"),
    ("  type: AS18000", "  type: AS5000", "storage[0].type is 'AS5000': write AS18000"),
    ("  username: user\n", "", "storage[0].username is missing"),
    ("  host: 10.0.0.1:22\n", "", "storage[0].host is missing"),
    ("  password: marker-8d1f\n", "", "storage[0].password is missing: add password, or shadow"),
    ("  password: marker-8d1f\n", "  password: [marker-8d1f]\n", "storage[0].password must be one text"),
    ("  password: marker-8d1f\n", '  password: "marker-8d1f\\x07"\n', "storage[0].password has control char"),
    ("  password: marker-8d1f\n", "  password: !marker-8d1f\n", "must stand in quotes"),
    ("  password: marker-8d1f\n", "  password: &marker-8d1f x\n", "must stand in quotes"),
    ("  password: marker-8d1f\n", "  password: *marker-8d1f\n", "must stand in quotes"),
    ("  password: marker-8d1f\n", "  password: @marker-8d1f\n", "must stand in quotes"),
    ("  password: marker-8d1f\n", "  password: !marker-8d1f!x y\n", "must stand in quotes"),
    ("  password: marker-8d1f\n", "  password: 'marker-8d1f\n", "this is not YAML"),
    ("  password: marker-8d1f\n", '  password: "marker-8d1f\\q"\n', "this is not YAML"),
    ("  username", "\tusername", "line 7: there is a tab: indent with spaces"),
    ("storage:", "storage: x\nother:", "other is not a known key"),
    ("storage:\n", "storage: []\nlog:\n", "line 3: storage must be a list with one array at least"),
    ("- name", "- x\n- name", "storage[0] must be a group of keys that begins with - name:"),
    ("host:", "---\nlog:\n---\nhost:", "a second document begins"),
]


@pytest.mark.parametrize(("good", "wrong", "said"), MISTAKES)
def test_a_mistake_is_named_with_its_mend(file: Path, good: str, wrong: str, said: str) -> None:
    assert good in SMALL
    assert said in refusal(file, SMALL.replace(good, wrong, 1))


def test_a_duplicate_array_is_refused(file: Path) -> None:
    again = SMALL[SMALL.index("- name") :]
    assert "storage[1].name 'a' stands there a second time" in refusal(file, SMALL + again)
    found = load(written(file, SMALL + again.replace("name: a", "name: b")))
    assert "storage[1].host is also that of a" in found.warnings[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"# nothing\n", "it is empty"),
        (b"just words", "the file must have the groups"),
        (b"- a\n- b\n", "the file must have the groups"),
        (b"host: \xff", "is not UTF-8"),
        ("host: 1".encode("utf-16"), "is not UTF-8"),
        (b"host: \x00\x01", "characters that YAML forbids"),
        (b"[" * 50_000, "nested too deeply"),
        (b"{a: " * 50_000, "nested too deeply"),
        (b"- " * 50_000, "nested too deeply"),
        (b"a: [" + b"x, " * 40_000 + b"]", "too many entries"),
        (b"# " + b"x" * (1 << 20), "larger than 1 MiB"),
        (b"a: &a [x]\nb: [*a, *a]\n", "anchors (&) and aliases (*) are not taken"),
        (b"a: !!python/object/apply:os.system ['id']\n", "tags (!) are not taken"),
        (b"? [a, b]\n: c\n", "a key must be a word"),
        (b"<<: {a: b}\n", "<< is not a known key"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(file: Path, content: bytes, said: str) -> None:
    assert said in refusal(file, content)


def test_a_file_that_cannot_be_read_is_said(file: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, said in [
        (tmp_path / "absent", "No such file or directory"),
        (tmp_path, "no regular file"),
        (tmp_path / "fifo", "no regular file"),
        (file / "below", "Not a directory"),
    ]:
        with pytest.raises(Fault, match=said):
            load(path)


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
YAMLISH = st.lists(
    st.sampled_from(
        (
            "host:",
            "storage:",
            "log:",
            "  link: fc",
            "- name: a",
            "  type: AS18000",
            "  host: 10.0.0.1:22",
            "  username: u",
            "  password: p",
            "  level: 0",
            "\t",
            "  shadow: 00",
            "barrierPath: x",
            "driver",
            "*a",
            "  objects: {a: b}",
            "&a",
            "? x",
            "- - -",
            "'",
            '"',
            "{",
            "[",
            "...",
            "---",
            "%YAML 1.1",
            "# c",
            "!!int 3",
        )
    ),
    max_size=14,
).map("\n".join)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300) | TEXT.map(str.encode) | YAMLISH.map(str.encode), need_host=st.booleans()
)
def test_any_file_is_a_configuration_or_a_fault(file: Path, content: bytes, need_host: bool) -> None:
    file.write_bytes(content)
    try:
        assert isinstance(load(file, need_host=need_host), Configuration)
    except Fault as fault:
        assert str(file) in fault.sentence


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_sample_with_one_line_spoilt_is_a_configuration_or_a_fault(file: Path, data: st.DataObject) -> None:
    lines = sample.SAMPLE_18000.splitlines()
    spoilt = data.draw(st.integers(0, len(lines) - 1))
    lines[spoilt] = data.draw(TEXT | TEXT.map(lambda text: lines[spoilt].split(":")[0] + ": " + text))
    file.write_text("\n".join(lines))
    try:
        assert isinstance(load(file), Configuration)
    except Fault as fault:
        assert str(file) in fault.sentence
