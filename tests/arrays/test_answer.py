"""Whatever an array prints is data: rows and sections, or a Fault that names command and column."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instorage.arrays.as18000 import (
    creation,
    deletion,
    holder,
    hosts,
    mapping,
    ownership,
    pools,
    targets,
    volumes,
)
from instorage.arrays.as18000.claim import Claim
from instorage.arrays.as18000.ip_ports import IpPorts
from instorage.arrays.as18000.resting import RestingLuns
from instorage.arrays.as18000.session.answer import Detail, Row, Source, parse_detail, parse_list
from instorage.arrays.as18000.session.cli import Cli
from instorage.arrays.as18000.session.refusal import Output, Refused, judge
from instorage.arrays.endpoint import Limits
from instorage.arrays.model import Initiator, VolumeSpec
from instorage.volume_name import VolumeName
from instorage.wire.fault import Code, Fault
from instorage.wire.values import Bytes, Iqn, VolumeUid

SOURCE = Source("storage-01", "mcsinq lsvdisk -delim !")
# One volume as a real array printed it (public test data of the vendor's driver).
MCS = (
    "id!name!IO_group_id!IO_group_name!status!mdisk_grp_id!mdisk_grp_name!capacity!type!LC_id!LC_name!RC_id!RC_name!"
    "vdisk_UID!lc_map_count!copy_count!fast_write_state!se_copy_count!RC_change!compressed_copy_count!"
    "parent_mdisk_grp_id!parent_mdisk_grp_name!formatting!encrypt!volume_id!volume_name!function!ica!ica_bypass!"
    "ica_pid\n"
    "8!fake-vol-name!0!io_grp0!online!0!Pool0!1073741824!striped!!!!!60050760008B09C0D000000000008062!0!1!empty!0!no!"
    "0!0!Pool0!no!no!8!test-v1!!off!off!\n"
)


def rows(text: str) -> tuple[Row, ...]:
    return parse_list(SOURCE, text)


def detail(text: str) -> Detail:
    return parse_detail(SOURCE, text)


def test_a_real_capture_is_read_by_column_name() -> None:
    (row,) = rows(MCS)
    assert row["vdisk_UID"] == "60050760008B09C0D000000000008062"
    assert (row.number("capacity"), row["volume_name"], row["function"]) == (1073741824, "test-v1", "")


@pytest.mark.parametrize("text", ["", "\n", "\r\n", "id!name!status\n"])
def test_no_output_and_a_heading_alone_are_an_empty_list(text: str) -> None:
    assert rows(text) == ()


def test_carriage_returns_and_blanks_are_no_part_of_a_value() -> None:
    (row,) = rows("id ! name\r\n7! v \r\n")
    assert row.fields == {"id": "7", "name": "v"}


def test_a_row_shorter_than_its_heading_misses_the_last_columns_only() -> None:
    (row,) = rows("id!name!status\n7!v\n")
    assert row["name"] == "v"
    with pytest.raises(Fault, match=r"«mcsinq lsvdisk -delim !».*column status is missing") as caught:
        row["status"]
    assert caught.value.code is Code.ARRAY_ANSWER
    assert caught.value.fields["column"] == "status"


def test_a_row_longer_than_its_heading_is_read_as_far_as_the_heading_goes() -> None:
    (row,) = rows("id!name\n7!v!new!fields\n")
    assert row.fields == {"id": "7", "name": "v"}


def test_the_host_cluster_name_heading_without_a_field_shifts_nothing() -> None:
    (row,) = rows("id!name!host_cluster_id!host_cluster_name!protocol\n7!v!!scsi\n")
    assert row["protocol"] == "scsi"


def test_a_host_cluster_name_with_its_field_is_kept() -> None:
    (row,) = rows("id!host_cluster_name!protocol\n7!c1!scsi\n")
    assert (row["host_cluster_name"], row["protocol"]) == ("c1", "scsi")


def test_a_value_of_a_detailed_view_may_contain_the_delimiter() -> None:
    assert detail("id!7\nname!a!b!c\n").head()["name"] == "a!b!c"


def test_repeated_keys_are_groups_in_the_arrays_order() -> None:
    text = "id!0\niscsi_name!iqn.a\nnode_logged_in_count!2\nWWPN!AB\nnode_logged_in_count!0\nstate!offline\n"
    first, second = detail(text).groups("iscsi_name", "WWPN", "nqn")
    assert (first["iscsi_name"], first.number("node_logged_in_count")) == ("iqn.a", 2)
    assert (second["WWPN"], second.number("node_logged_in_count"), second["state"]) == ("AB", 0, "offline")


@pytest.mark.parametrize("between", ["\n", ""])
def test_copies_are_found_with_and_without_a_blank_line_between_sections(between: str) -> None:
    text = f"id!0\nstatus!online\n{between}copy_id!0\nstatus!offline\n{between}copy_id!1\nstatus!online\n"
    assert detail(text).head()["status"] == "online"
    assert [copy["status"] for copy in detail(text).groups("copy_id")] == ["offline", "online"]


def test_control_characters_reach_neither_a_value_nor_a_sentence() -> None:
    (row,) = rows("id!name!capacity\n7!a\x1b[31m\x07\u202eb\u2028c!x\x1b[2J\n")
    assert row["name"] == "a?[31m??b?c"
    with pytest.raises(Fault) as caught:
        row.number("capacity")
    assert caught.value.sentence.isprintable()


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "٣", "0x10", "1_0", "9" * 25, "3.06TB"])
def test_what_is_no_plain_number_is_no_size(text: str) -> None:
    with pytest.raises(Fault) as caught:
        Row(SOURCE, {"capacity": text}).number("capacity")
    assert caught.value.code is Code.ARRAY_ANSWER


answers = st.one_of(
    st.text(),
    st.lists(st.lists(st.text(max_size=8), max_size=9).map("!".join), max_size=6).map("\n".join),
    st.lists(st.sampled_from([*MCS.replace("\n", "!").split("!"), "\n", "!"])).map("!".join),
)


class Parrot:
    """An array that answers every command with the same text."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def run(self, _: str, __: float, before: Callable[[], None]) -> Output:
        before()
        return self.output


@given(answers, st.one_of(st.just(""), answers), st.sampled_from([0, 1, 127]))
def test_nothing_that_an_array_prints_raises_anything_but_a_fault(text: str, noise: str, status: int) -> None:
    name = VolumeName("test-v1")
    parrot: Any = Parrot(Output(status, text, noise))
    array = Cli("storage-01", parrot, Limits())
    for ask in (
        lambda: volumes.find(array, name),
        lambda: volumes.find_by_uid(array, VolumeUid.parse("60050760008B09C0D000000000008062")),
        lambda: volumes.usage(array, name),
        lambda: pools.find(array, "Pool0"),
        lambda: mapping.of_volume(array, name),
        lambda: mapping.of_host(array, "h"),
        lambda: hosts.find(array, "h"),
        lambda: hosts.sites(array),
        lambda: holder.search(array, frozenset({"iqn"}), width=1),
        lambda: targets.read(array, IpPorts()),
        lambda: creation.create(array, VolumeSpec(name, Bytes(1 << 30), ("Pool0",))),
        lambda: deletion.delete(array, name),
        lambda: mapping.make(array, RestingLuns(), name, "h", share=False),
        lambda: mapping.remove(array, RestingLuns(), name, "h"),
        lambda: ownership.ensure(
            array, Claim(Initiator(Iqn("iqn.2000-01.a:b")), "iscsi", ("h",), None), None, width=1
        ),
    ):
        try:
            ask()
        except Fault as fault:
            assert fault.sentence.isprintable()


def test_noise_on_standard_error_is_no_failure() -> None:
    judge(SOURCE, Output(0, "", "warning: command substitution: ignored null byte in input\n"))


def test_an_error_code_is_a_failure_whatever_the_status() -> None:
    with pytest.raises(Refused) as caught:
        judge(SOURCE, Output(0, "", "noise\nCMMVC5754E The specified object does not exist.\n"))
    assert caught.value.cmmvc == "CMMVC5754E"


@pytest.mark.parametrize("status", [0, 1])
def test_a_warning_is_no_failure(status: int) -> None:
    judge(
        SOURCE,
        Output(status, "", "CMMVC6372W The virtualized storage capacity is approaching the license.\n"),
    )


def test_a_status_without_a_code_is_a_failure_in_the_arrays_words() -> None:
    with pytest.raises(Refused, match="is not a recognized command") as caught:
        judge(SOURCE, Output(127, "", "rbash: mcsinq is not a recognized command\n"))
    assert caught.value.code is Code.ARRAY_REFUSED
