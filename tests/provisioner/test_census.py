"""Deletions share a list of everything, but never one that began before they asked."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

import pytest

from provisioner.census import Registrar
from provisioner.cluster import CLAIMS, Away
from provisioner.persistent_volume import names_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioner.cluster import Cluster, Object

SECONDS = 10.0


class Server:
    """Lists as many claims as lists of claims were asked for; the first list waits to be let on."""

    def __init__(self) -> None:
        self.lists = 0
        self.listing, self.let_on = threading.Event(), threading.Event()
        self.away = False

    def pages(self, path: str) -> Iterator[tuple[list[Object], str]]:
        if path != CLAIMS:
            return
        self.lists += 1
        seen = self.lists
        self.listing.set()
        assert self.let_on.wait(SECONDS)
        if self.away:
            raise Away("no answer")
        metadata = {"namespace": "default", "uid": "u", "resourceVersion": "1"}
        names = [f"claim-{number}" for number in range(seen)]
        yield [{"metadata": metadata | {"name": name}, "spec": {"volumeName": "pv"}} for name in names], "1"


def test_who_asks_while_a_list_is_under_way_gets_the_next_one_and_shares_it() -> None:
    server = Server()
    registrar = Registrar(cast("Cluster", server))
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(registrar.census)
        assert server.listing.wait(SECONDS)
        later = [pool.submit(registrar.census) for _ in range(5)]
        server.let_on.set()
        counts = [len(one.result(SECONDS).claims("pv")) for one in later]
    assert len(first.result().claims("pv")) == 1
    assert min(counts) >= 2
    assert server.lists <= 6


def test_each_question_afterwards_is_asked_anew() -> None:
    server = Server()
    server.let_on.set()
    registrar = Registrar(cast("Cluster", server))
    assert [len(registrar.census().claims("pv")) for _ in range(3)] == [1, 2, 3]


def test_a_list_that_failed_is_nobodys() -> None:
    server = Server()
    server.let_on.set()
    registrar = Registrar(cast("Cluster", server))
    server.away = True
    with pytest.raises(Away):
        registrar.census()
    server.away = False
    assert len(registrar.census().claims("pv")) == 2


LARGE = 1 << 20


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"6{number:06x}" for number in range(LARGE // 7)),
        ("6" + "a" * 30 + "g") * (LARGE // 32),
        ("pvc-" + "a" * 35 + "g") * (LARGE // 40),
    ],
    ids=["a hundred thousand uids", "almost uids", "almost names"],
)
def test_a_pv_whose_fields_are_full_of_what_looks_like_a_disk_costs_little(text: str) -> None:
    """The API server takes objects of more than a megabyte; a census reads every one of them."""
    source = {"driver": "example.com/csi", "volumeHandle": text}
    began = time.process_time()
    names = names_in({"metadata": {"name": "large"}, "spec": {"csi": source}})
    assert time.process_time() - began < 5
    assert len(names) < 2000
