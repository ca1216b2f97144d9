"""`instoragectl adopt`: what is signed is the volume that the PV was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from instorage.wire.fault import Code, Fault
from provisioner.adoption import signed

if TYPE_CHECKING:
    from provisioner.cluster import Object
    from tests.provisioner.bench import Bench


def by_hand(**options: Any) -> Object:
    source = {"driver": "inspur/instorage-flexvolume", "options": options}
    return {"metadata": {"name": "data"}, "spec": {"flexVolume": source, "claimRef": {"namespace": "shop"}}}


def test_a_pv_whose_name_another_volume_has_by_now_is_left_out_and_both_uids_are_said(bench: Bench) -> None:
    bench.make("data")
    (before,) = bench.arrays["storage-01"].control.do("volumes")
    cast("Any", bench.client.get(None))._cli.operate("rmvdisk", "data")
    bench.make("other")
    bench.make("data")
    uid = before["uid"].lower()
    with pytest.raises(Fault, match=f"the PV is for {uid}: somebody made another volume") as caught:
        signed(by_hand(volumeUid=uid.upper()), bench.client, bench.key)
    assert caught.value.code is Code.NOT_OURS


def test_a_pv_that_names_its_volumes_uid_or_none_is_signed(bench: Bench) -> None:
    bench.make("data")
    of_name = signed(by_hand(), bench.client, bench.key)
    of_uid = signed(by_hand(volumeUid=of_name.grant.uid.upper()), bench.client, bench.key)
    assert of_uid == of_name
    assert (of_uid.grant.storage_name, of_uid.grant.namespace) == ("storage-01", "shop")
