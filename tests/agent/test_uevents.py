"""The kernel's events: which make the agent look at paths, and that they are heard without a privilege."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeagent.host.uevents import Uevents, parse

NULL = Path("/sys/class/mem/null/uevent")
UUID = "mpath-360050760008900000000000000000001"
FAILED = {"SUBSYSTEM": "block", "DM_ACTION": "PATH_FAILED", "DM_PATH": "8:1"}


def message(head: str, **fields: str) -> bytes:
    return "\0".join([head, *(f"{key}={value}" for key, value in fields.items()), ""]).encode()


@pytest.mark.parametrize(
    ("action", "fields", "looks"),
    [
        ("change", {**FAILED, "DM_UUID": UUID}, True),
        ("change", {**FAILED, "DM_UUID": "LVM"}, False),
        ("change", {"SUBSYSTEM": "block", "DM_UUID": UUID}, False),
        ("remove", {"SUBSYSTEM": "scsi", "DEVTYPE": "scsi_device"}, True),
        ("remove", {"SUBSYSTEM": "scsi", "DEVTYPE": "scsi_target"}, False),
        ("add", {"SUBSYSTEM": "scsi", "DEVTYPE": "scsi_device"}, False),
        ("remove", {"SUBSYSTEM": "iscsi_session"}, True),
        ("add", {"SUBSYSTEM": "fc_remote_ports"}, True),
        ("add", {"SUBSYSTEM": "net"}, False),
        ("change", {"SUBSYSTEM": "block"}, False),
    ],
)  # fmt: skip
def test_only_what_is_about_paths_has_somebody_look(action: str, fields: dict[str, str], looks: bool) -> None:
    event = parse(message(f"{action}@/devices/x", ACTION=action, **fields))
    assert event
    assert event.of_a_path is looks


@pytest.mark.parametrize(
    ("action", "device", "looks"),
    [
        ("add", "/devices/pci0000:00/host3/rport-3:0-1/target3:0:1", True),
        ("remove", "/devices/pci0000:00/host3/rport-3:0-1/target3:0:1", False),
        ("add", "/devices/platform/host4/session2/target4:0:0", False),
    ],
)
def test_a_target_of_fibre_channel_that_is_back_has_somebody_look(
    action: str, device: str, looks: bool
) -> None:
    event = parse(message(f"{action}@{device}", SUBSYSTEM="scsi", DEVTYPE="scsi_target"))
    assert event
    assert event.of_a_path is looks


def test_a_path_that_failed_is_named_and_so_is_one_that_is_back() -> None:
    for action, failed, back in (("PATH_FAILED", "8:16", ""), ("PATH_REINSTATED", "", "8:16")):
        fields = {"SUBSYSTEM": "block", "DM_ACTION": action, "DM_PATH": "8:16", "DM_UUID": UUID}
        event = parse(message("change@/devices/virtual/block/dm-0", **fields))
        assert event
        assert (event.failed, event.reinstated) == (failed, back)


@pytest.mark.parametrize(
    ("action", "fields", "number"),
    [
        ("add", {"SUBSYSTEM": "block", "MAJOR": "8", "MINOR": "16"}, "8:16"),
        ("remove", {"SUBSYSTEM": "block", "MAJOR": "8", "MINOR": "16"}, "8:16"),
        ("change", {"SUBSYSTEM": "block", "MAJOR": "8", "MINOR": "16"}, ""),
        ("add", {"SUBSYSTEM": "tty", "MAJOR": "8", "MINOR": "16"}, ""),
        ("remove", {"SUBSYSTEM": "block"}, ""),
    ],
)  # fmt: skip
def test_a_block_device_that_comes_or_goes_gives_its_number_to_another(
    action: str, fields: dict[str, str], number: str
) -> None:
    event = parse(message(f"{action}@/devices/x", ACTION=action, **fields))
    assert event
    assert event.changed_hands == number


def test_what_udev_says_of_it_is_no_event_of_the_kernel() -> None:
    assert parse(b"libudev\0\xfe\xed\xca\xfe\0\0\0(") is None


@given(st.binary(max_size=300))
def test_no_message_is_too_strange(junk: bytes) -> None:
    event = parse(junk)
    assert event is None or isinstance(event.of_a_path, bool)


def test_who_waits_is_let_go() -> None:
    uevents, heard = Uevents(), []
    thread = threading.Thread(target=lambda: heard.append(uevents.next()), daemon=True)
    thread.start()
    uevents.close()
    thread.join(30)
    assert heard == [None]


@pytest.mark.skipif(not os.access(NULL, os.W_OK), reason="this user can make no event of the kernel")
def test_an_event_of_the_kernel_is_heard_and_one_of_a_program_is_not() -> None:
    uevents = Uevents()
    NULL.write_text("change 0c0ffee0-0000-4000-8000-000000000001 OURS=1\n")
    while (event := uevents.next()) and "SYNTH_ARG_OURS" not in event.fields:
        pass
    assert event
    assert (event.action, event.device) == ("change", "/devices/virtual/mem/null")
    uevents.close()
    assert uevents.next() is None
