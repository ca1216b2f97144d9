"""Programs that read what an array sent open no socket: root's would let them in, capabilities or not."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from helper import child, confinement
from helper.mounts import libc
from helper.scsi import MIPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.subprocess, pytest.mark.usefixtures("run_directory")]

IO_URING_SETUP = 425 + 5000 * MIPS
X32_SOCKET = (1 << 30) + 41
# push rbx; eax = 359, socket(2) of i386; ebx = AF_UNIX; ecx = SOCK_STREAM; edx = 0; int 0x80; pop rbx; ret
I386_SOCKET = bytes.fromhex("53 b867010000 bb01000000 b901000000 31d2 cd80 5b c3")


def confined(job: Callable[[], int], *, powerless: bool = True) -> int:
    """Do a job where a program would be that reads a tenant's file system; its number is a wanted error."""

    def inside() -> int:
        confinement.confine("/dev/null", powerless=powerless)
        return job()

    return child.apart(inside, time.monotonic() + 20, "It")


def refused(attempt: Callable[[], object]) -> Callable[[], int]:
    """Return what makes an attempt and tells the error it meets, 0 for none."""

    def job() -> int:
        try:
            attempt()
        except OSError as error:
            return error.errno or -1
        return 0

    return job


def called(number: int) -> int:
    """Make a system call that no kernel lets through with these words, and return its error."""
    ctypes.set_errno(0)
    libc.syscall(number, 1, None, 0)
    return ctypes.get_errno()


def from_i386() -> int:
    """Call the kernel as a program of 32 bits does; return what it answers."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(I386_SOCKET)
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))())


@pytest.mark.parametrize("powerless", [True, False])
def test_a_hole_in_fsck_does_not_reach_a_socket_that_only_root_may_open(
    tmp_path: Path, *, powerless: bool
) -> None:
    """/run/systemd/private, D-Bus, containerd's: whoever is uid 0 there has the host."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(private / "sock"))
        listener.listen()
        listener.settimeout(0)

        def connect() -> None:
            with socket.socket(socket.AF_UNIX) as mine:
                mine.connect(str(private / "sock"))

        assert confined(refused(connect), powerless=powerless) == errno.EPERM
        with pytest.raises(BlockingIOError):
            listener.accept()
        connect()  # so it is no other obstacle that was met
        listener.accept()[0].close()


def test_nor_one_of_datagrams_by_a_pair_that_is_connected_anew(tmp_path: Path) -> None:
    """/run/systemd/notify, /dev/log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(0)

        def send() -> None:
            for one in (pair := socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)):
                with contextlib.suppress(ConnectionRefusedError):
                    one.sendto(b"STOPPING=1", str(tmp_path / "notify"))
            for one in pair:
                one.close()

        assert confined(refused(send)) == errno.EPERM
        with pytest.raises(BlockingIOError):
            listener.recv(64)
        send()
        assert listener.recv(64) == b"STOPPING=1"


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_VSOCK])
def test_nor_any_other_family(family: int) -> None:
    assert confined(refused(lambda: socket.socket(family, socket.SOCK_RAW))) == errno.EPERM


def test_nor_by_way_of_io_uring() -> None:
    assert called(IO_URING_SETUP) != errno.EPERM, "this kernel refuses it to everybody"
    assert confined(lambda: called(IO_URING_SETUP)) == errno.EPERM


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the calls of another processor are x86's")
@pytest.mark.parametrize("way", ["x32", "i386"])
def test_nor_by_the_calls_of_another_processor(way: str) -> None:
    """Where the unit's SystemCallArchitectures= is not in force the filter alone stops them."""
    if way == "x32":
        assert called(X32_SOCKET) != errno.EPERM
        assert confined(lambda: called(X32_SOCKET)) == errno.EPERM
        return
    if child.apart(lambda: from_i386() > 0, time.monotonic() + 20, "It") is not True:
        pytest.skip("this kernel runs no program of 32 bits")
    assert confined(from_i386) == -errno.EPERM


def test_on_a_processor_whose_calls_are_not_known_no_program_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is built for it: better no mount than one that is not confined."""
    monkeypatch.setattr(confinement, "_PROCESSORS", {})
    with pytest.raises(KeyError):
        confinement._no_sockets()


def test_signals_and_abstract_sockets_of_others_are_out_of_reach_where_landlock_can_say_so() -> None:
    if libc.syscall(confinement._LANDLOCK, None, 0, 1) < 6:
        pytest.skip("this kernel's Landlock knows no scopes (before 6.12)")
    other = os.getpid()
    assert confined(refused(lambda: os.kill(other, 0))) == errno.EPERM
