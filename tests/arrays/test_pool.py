"""The clients of a process while the configuration changes under its operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from instorage.arrays.pool import KEPT, ArrayPool
from instorage.configuration.settings import load
from instorage.wire.fault import Fault
from tests.configuration.conftest import SMALL

if TYPE_CHECKING:
    from pathlib import Path

    from instorage.arrays.protocol import Array
    from instorage.configuration.settings import Configuration, StorageSettings


@dataclass
class Client:
    entry: StorageSettings
    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class Made:
    """The clients that were built."""

    clients: list[Client] = field(default_factory=list)

    def build(self, entry: StorageSettings) -> Array:
        self.clients.append(Client(entry))
        return cast("Array", self.clients[-1])


@pytest.fixture
def made() -> Made:
    return Made()


def configuration(path: Path, password: str) -> Configuration:
    path.write_text(SMALL.replace("marker-8d1f", password))
    return load(path)


def test_operations_of_the_old_and_of_the_new_configuration_take_turns_on_two_clients(
    tmp_path: Path, made: Made
) -> None:
    pool = ArrayPool(made.build)
    old, new = (configuration(tmp_path / "c", word) for word in ("old", "new"))
    seen = {id(pool.get(one, "a")) for _ in range(5) for one in (old, new)}
    assert len(made.clients) == 2, "a client that is made anew logs in again, and forgets a refused password"
    assert len(seen) == 2
    assert not any(client.closed for client in made.clients)


def test_clients_of_entries_that_are_past_are_closed(tmp_path: Path, made: Made) -> None:
    pool = ArrayPool(made.build)
    for number in range(20):
        pool.get(configuration(tmp_path / "c", f"word{number}"), None)
    assert [client.closed for client in made.clients] == [True] * (20 - KEPT) + [False] * KEPT
    pool.close()
    assert all(client.closed for client in made.clients)


def test_an_array_of_another_configuration_is_not_reached_by_this_one(tmp_path: Path, made: Made) -> None:
    pool = ArrayPool(made.build)
    pool.get(configuration(tmp_path / "c", "word"), "a")
    renamed = tmp_path / "renamed"
    renamed.write_text(SMALL.replace("name: a", "name: b"))
    with pytest.raises(Fault, match="'a' is not in"):
        pool.get(load(renamed), "a")
