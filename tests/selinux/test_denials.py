"""What the kernel's log says of a denial becomes the rule that would allow it."""

from __future__ import annotations

from nodeagent.administration.denials import rules

AVC = (
    'audit: type=1400 audit(1700000000.123:45): avc:  denied  {{ read open }} for  pid=77 comm="python3" '
    'name="sda" dev="devtmpfs" ino=9 scontext=system_u:system_r:{source}:s0 '
    "tcontext=system_u:object_r:{target}:s0 tclass=blk_file permissive=1"
)
SECCOMP = (
    "audit: type=1326 audit(1700000000.123:46): auid=4294967295 uid=0 gid=0 ses=4294967295 "
    'subj=system_u:system_r:instorage_helper_t:s0 pid=9 comm="instorage-helpe" exe="/usr/bin/x" sig=0 '
    "arch=c000003e syscall=165 compat=0 ip=0x7f code=0x50000"
)
USER_AVC = (
    "audit: type=1107 audit(1700000000.123:47): pid=1 msg='avc:  denied  { status } for auid=n/a "
    "scontext=system_u:system_r:instorage_agent_t:s0 "
    'tcontext=system_u:system_r:init_t:s0 tclass=system permissive=0 exe="/usr/lib/systemd/systemd"\''
)


def test_a_denial_of_ours_is_told_as_the_rule_that_would_allow_it() -> None:
    line = AVC.format(source="instorage_agent_t", target="fixed_disk_device_t")
    assert rules([line]) == {
        "allow instorage_agent_t fixed_disk_device_t:blk_file read;": line,
        "allow instorage_agent_t fixed_disk_device_t:blk_file open;": line,
    }


def test_a_denial_of_another_domain_is_not_ours() -> None:
    assert rules([AVC.format(source="udev_t", target="instorage_runtime_t"), "avc:  granted  { read }"]) == {}


def test_systemds_own_denials_and_calls_that_a_filter_refused_count() -> None:
    found = rules([USER_AVC, SECCOMP])
    assert list(found) == [
        "allow instorage_agent_t init_t:system status;",
        "call 165 of instorage-helpe (instorage_helper_t; SystemCallFilter=)",
    ]


def test_equal_denials_are_told_once() -> None:
    line = AVC.format(source="instorage_stub_t", target="instorage_stub_t")
    assert list(rules([line, line])) == [
        "allow instorage_stub_t self:blk_file read;",
        "allow instorage_stub_t self:blk_file open;",
    ]
