"""What is told of the provisioner: it works, it is away, it was never there, it has not begun."""

from __future__ import annotations

import pytest

from nodeagent.diagnosis import event, link
from nodeagent.diagnosis.link import KUBERNETES, NOBODY
from tests.diagnosis.recorded import VOLUME, Recorded, ago, serving


@pytest.fixture
def api() -> Recorded:
    return serving()


def test_a_provisioner_that_is_away_is_told_by_its_lease(api: Recorded) -> None:
    api.claim()
    api.lease(age=300)
    verdict = api.why("default/data")
    assert (
        "The provisioner is away: master_1 has not renewed Lease kube-system/inspur-instorage"
        in verdict.sentence
    )
    assert "Start it on host master." in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, "systemctl restart instorage-provisioner")


def test_a_provisioner_that_works_and_has_not_begun_is_waited_for(api: Recorded) -> None:
    claim = api.claim()
    claim["metadata"]["creationTimestamp"] = ago(20)
    verdict = api.why("default/data")
    assert "has not begun with it" in verdict.sentence
    assert (verdict.who, verdict.command) == (NOBODY, "")
    claim["metadata"]["creationTimestamp"] = ago(600)
    verdict = api.why("default/data")
    assert "It works, and should have begun by now: its journal says why." in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, event.JOURNAL)
    assert "Where: on the provisioner's host, as root." in list(link.lines(verdict, proof=False))
    api.pod("")["metadata"]["creationTimestamp"] = ago(20)
    assert api.why("default/data").who == NOBODY, "its first consumer has just come"


def test_a_provisioner_of_another_name_that_said_nothing_yet_is_known_by_the_classs_pool(
    api: Recorded,
) -> None:
    api.claim()
    api.storage_class(provisioner="example.org/gold", parameters={"volPoolName": "Pool0"})
    verdict = api.why("default/data")
    assert "No provisioner of the name example.org/gold has ever worked here" in verdict.sentence
    assert "Lease kube-system/example.org-gold is not there" in verdict.sentence
    assert "On its host add -provisioner-name=example.org/gold to its ExecStart" in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, "systemctl edit --full instorage-provisioner")
    assert "Where: on the provisioner's host, as root." in list(link.lines(verdict, proof=False))
    api.storage_class(provisioner="example.org/gold", parameters={"pool": "Pool0"})
    assert "not by this product" in api.why("default/data").sentence
    api.storage_class()
    del api.kept["lease", "kube-system", "inspur-instorage"]
    verdict = api.why("default/data")
    assert "has ever worked here (Lease kube-system/inspur-instorage is not there). Install it" in (
        verdict.sentence
    )
    assert verdict.command == "./install.sh --provisioner"


def test_a_volume_that_is_being_made_is_nobodys_to_mend(api: Recorded) -> None:
    api.event(api.claim(), "Provisioning", f"Volume {VOLUME} is being made on storage-01.", normal=True)
    verdict = api.why("default/data")
    assert f"Volume {VOLUME} is being made on storage-01." in verdict.sentence
    assert (verdict.who, verdict.command) == (NOBODY, "")
    api.events[0]["firstTimestamp"] = ago(700)
    verdict = api.why("default/data")
    assert "That takes long" in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, event.JOURNAL)


def test_a_lease_that_may_not_be_read_is_not_called_away(api: Recorded) -> None:
    api.claim()
    api.denied["lease"] = "leases is forbidden"
    verdict = api.why("default/data")
    assert "away" not in verdict.sentence
    assert "Whether the provisioner works is not known" in verdict.sentence
    assert (verdict.who, verdict.command) == (KUBERNETES, "systemctl status instorage-provisioner")
    assert any(one.place == "provisioner" and one.state == link.UNSEEN for one in verdict.links)


def test_what_an_array_refuses_of_a_new_volume_is_the_classs(api: Recorded) -> None:
    refused = "Array storage-01 refused mkvolume: CMMVC5711E [0:1] is not valid data. [array-refused]"
    api.event(api.claim(), "ProvisioningFailed", refused)
    verdict = api.why("default/data")
    assert (verdict.who, verdict.command) == (KUBERNETES, "kubectl get storageclass gold -o yaml")
    assert any("lsmdiskgrp and lsiogrp on the array" in line for line in link.lines(verdict, proof=False))
