"""An API server that refuses, or ends every watch at once, is asked less and less, and for little."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from provisioner import cluster as cluster_module
from provisioner import reflection as reflection_module
from provisioner.cluster import CLAIMS, CLASSES
from provisioner.lean import packed
from provisioner.patience import LONGEST_ASKED, Patience
from provisioner.reflection import Reflection
from tests.provisioner.program import until
from tests.provisioner.scripted_api import Answer, ScriptedApi, listed, named, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.provisioner.scripted_api import Asked

FIRST = 0.2  # seconds, the first pause here: with 0.2, 0.4, 0.8 s and a fifth less or more there is room for
WINDOW = 1.05  # three or four attempts in this time
SPARE = 4


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reflection_module.FIRST_PAUSE == 0.5, "the stated time"
    monkeypatch.setattr(reflection_module, "FIRST_PAUSE", FIRST)


@contextlib.contextmanager
def followed(api: ScriptedApi, directory: Path, path: str = CLASSES) -> Iterator[Reflection]:
    reflection = Reflection(api.cluster(directory), path, lambda old, new: None)
    reflection.start()
    try:
        yield reflection
    finally:
        reflection.stop()


@pytest.mark.parametrize("refused", [429, 500, 503, 403])
def test_a_refused_watch_is_tried_ever_more_rarely_and_never_costs_a_list(
    tmp_path: Path, refused: int
) -> None:
    with ScriptedApi(lambda asked: status(refused) if asked.watch else listed(5)) as api:
        with followed(api, tmp_path):
            time.sleep(WINDOW)  # what is measured
        # who is nobody and is told 403 shows his credentials once more
        assert len(api.lists()) == 1
        assert 2 <= len(api.watches()) <= SPARE * (2 if refused == 403 else 1)
        assert {asked.words["resourceVersion"] for asked in api.watches()} == {"5"}


@pytest.mark.parametrize("gone", ["at once", "as an event"])
def test_a_version_that_is_always_too_old_costs_few_lists(tmp_path: Path, gone: str) -> None:
    refusal = status(410)
    event = Answer(events=({"type": "ERROR", "object": refusal.document},))
    answer = refusal if gone == "at once" else event
    with ScriptedApi(lambda asked: answer if asked.watch else listed(5)) as api:
        with followed(api, tmp_path):
            time.sleep(WINDOW)  # what is measured
        assert 2 <= len(api.lists()) <= SPARE


def test_watches_that_end_at_once_are_no_hot_loop(tmp_path: Path) -> None:
    with ScriptedApi(lambda asked: Answer() if asked.watch else listed(5)) as api:
        with followed(api, tmp_path):
            time.sleep(WINDOW)  # what is measured
        assert len(api.lists()) == 1
        assert 2 <= len(api.watches()) <= SPARE


def test_a_refused_list_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    with ScriptedApi(lambda asked: status(503)) as api, followed(api, tmp_path):
        time.sleep(WINDOW)  # what is measured
        assert 2 <= len(api.lists()) <= SPARE


@pytest.mark.parametrize("what", ["watch", "list"])
def test_the_time_that_the_server_asks_for_is_left_to_it(tmp_path: Path, what: str) -> None:
    def answer(asked: Asked) -> Answer:
        refuse = asked.watch == (what == "watch")
        return status(429, Retry_After="1") if refuse else listed(5)

    with ScriptedApi(answer) as api, followed(api, tmp_path):
        tries = api.watches if what == "watch" else api.lists
        until(lambda: len(tries()) >= 2, 10)
        assert tries()[1].at - tries()[0].at >= 1


def test_patience_grows_to_its_limit_and_a_servers_wish_has_one() -> None:
    patience = Patience(0.5, 30.0, jitter=lambda: 0.5)
    assert [patience.next() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    patience.reset()
    assert patience.next(asked=7) == 7
    assert patience.next(asked=1e9) == LONGEST_ASKED
    spread = [Patience(10, 20, jitter=lambda at=at: at).next() for at in (0.0, 0.9)]  # type: ignore[misc]
    assert spread[0] < 10 < spread[1]


def test_a_list_that_broke_off_between_its_pages_is_begun_anew(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.watch:
            return Answer(held=0.5)
        found = listed(7, named("second" if "continue" in asked.words else "first"))
        assert found.document is not None
        found.document["metadata"]["continue"] = "" if "continue" in asked.words else "1"
        failed = sum("continue" in one.words for one in api.lists()) == 1 and "continue" in asked.words
        return status(500) if failed else found

    with ScriptedApi(answer) as api, followed(api, tmp_path, CLAIMS) as reflection:
        assert reflection.listed.wait(10)
        assert {one["metadata"]["name"] for one in reflection.copy.all()} == {"first", "second"}
        assert len(api.lists()) == 4


def test_one_of_a_list_that_cannot_be_kept_is_said_and_is_not_taken_for_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[tuple[Any, Any]] = []

    def deep(found: Any) -> bytes:
        if found["metadata"]["name"] == "deep":
            raise RecursionError
        return packed(found)

    with ScriptedApi(lambda _: listed(7, named("deep", 2), named("other", 2))) as api:
        reflection = Reflection(api.cluster(tmp_path), CLAIMS, lambda old, new: told.append((old, new)))
        reflection._put("uid-deep", named("deep"))
        monkeypatch.setattr(reflection_module, "packed", deep)
        reflection._list()
    assert [new["metadata"]["name"] for _, new in told] == ["deep", "other"]
    assert reflection.copy.get("uid-deep") == named("deep")
    assert "deep (uid-deep) is left alone" in caplog.text


def test_everything_is_listed_in_pages(tmp_path: Path) -> None:
    pages = [[named(f"c{page}-{number}") for number in range(3)] for page in range(3)]

    def answer(asked: Asked) -> Answer:
        if asked.watch:
            return Answer(held=0.5)
        page = int(asked.words.get("continue", "0"))
        found = listed(7, *pages[page])
        assert found.document is not None
        found.document["metadata"]["continue"] = str(page + 1) if page < 2 else ""
        return found

    with ScriptedApi(answer) as api, followed(api, tmp_path, CLAIMS) as reflection:
        assert reflection.listed.wait(10)
        assert len(list(reflection.copy.all())) == 9
        assert {asked.words["limit"] for asked in api.lists()} == {"500"}


def test_a_watch_on_which_nothing_comes_is_followed_by_a_new_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is when the server's etcd was restored: the version to watch from is ahead of the server's."""
    assert cluster_module.SILENCE == 180.0, "the stated time"
    monkeypatch.setattr(cluster_module, "SILENCE", 0.4)
    versions = iter((900, 20))

    def answer(asked: Asked) -> Answer:
        if asked.watch:
            return Answer(held=30)
        return listed(next(versions, 20) if asked.whole else 950)  # its other replicas are ahead

    with ScriptedApi(answer) as api, followed(api, tmp_path):
        until(lambda: "20" in {asked.words["resourceVersion"] for asked in api.watches()}, 10)


def test_a_quiet_watch_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "SILENCE", 0.4)
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "950"}}}

    def answer(asked: Asked) -> Answer:
        return Answer(events=(bookmark,), held=30) if asked.watch else listed(900 if asked.whole else 960)

    with ScriptedApi(answer) as api, followed(api, tmp_path):
        until(lambda: len(api.watches()) >= 2, 10)
        assert len(api.lists()) == 1
        assert api.watches()[1].words["resourceVersion"] == "950"


def test_a_server_that_came_back_with_an_older_state_is_listed_anew_at_once(tmp_path: Path) -> None:
    numbers = itertools.count()
    restored = threading.Event()

    def answer(asked: Asked) -> Answer:
        if not asked.watch:
            return listed(20 if restored.is_set() else 900, named("a"))
        if next(numbers) == 0:
            restored.set()
            return Answer(cut=True)
        return Answer(held=30)

    with ScriptedApi(answer) as api, followed(api, tmp_path):
        until(lambda: len(api.watches()) >= 2, 10)
        assert api.watches()[1].words["resourceVersion"] == "20"
        assert len(api.lists()) == 2
