"""make bench: one run of all parts, told as a table, as JSON and as pictures below build/bench.

make bench                      all parts but storm and scale (25 minutes)
make bench PART="stub claims"   some
LINK=fc make bench PART=one-volume   over Fibre Channel
PEER=/path/to/instorage-flexvolume make bench PART=one-volume   another FlexVolume driver beside ours
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import measured, storm
from benchmarks.figures import Figure, table
from benchmarks.on_a_node import Node
from benchmarks.plot import pictures
from benchmarks.work import BenchmarkFailed
from tools.lab.fault import LabFault
from tools.lab.fibre_channel import san_over
from tools.lab.lab import Lab
from tools.lab.product import Product, host_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUT = Path("build/bench")
LINK = os.environ.get("LINK", "iscsi")
PEER = os.environ.get("PEER", "")


def say(text: str) -> None:
    """Print a line about the run itself."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def node() -> Iterator[Node]:
    """Have a node with the product and an array, freshly loaded."""
    with Lab(("a",), report=say) as lab:
        lab.start()
        with san_over(LINK, lab) as san:
            product = Product(lab.node("a"), host=host_settings(LINK))
            product.install()
            here = Node(product, san, PEER)
            yield here
            here.done()


def one() -> Iterator[Figure]:
    """Measure one volume after the other."""
    with node() as here:
        first, *phases = here.first()
        yield from (first, *phases)
        yield from here.warm()
        yield from here.latencies()
        yield from here.peers()
        yield from here.cold()
        yield from here.at_rest()
    if PEER:
        with node() as other:
            yield from other.peers_first(first.value)


def many(count: int) -> Iterator[Figure]:
    """Measure so many volumes at once, in machines of their own."""
    with node() as here:
        yield from here.many(count)


def storms() -> Iterator[Figure]:
    """Have 100 nodes boot, and then 500."""
    for nodes in (100, 500):
        yield from storm.run(nodes)


HERE: dict[str, Callable[[], Iterator[Figure]]] = {
    "one-volume": one,
    "5-at-once": partial(many, 5),
    "20-at-once": partial(many, 20),
    "storm": storms,
}
PARTS = (*measured.TESTS, *HERE)
LONG = ("storm", "scale")
"""Only when they are named: the rest takes 25 minutes."""
WHOLE_RUN = 1500.0  # seconds: the requirement, for all the other parts together


def measure(part: str) -> list[Figure]:
    """Run a part; what it finds is told at once, and kept when it is broken off."""
    began = time.monotonic()
    found: list[Figure] = []
    try:
        for figure in HERE[part]() if part in HERE else measured.run(part):
            found.append(figure)
            say(f"  {figure.what}: {figure.value:.2f} {figure.unit}")
    except (BenchmarkFailed, LabFault) as failed:
        found.append(Figure(part, f"broken off: {failed}", 1.0, "(0: whole)", 0.0))
    return [*found, Figure("the run itself", part, time.monotonic() - began, "s")]


def in_sum(parts: list[str], seconds: float) -> Figure:
    """Return what the run took, held to the requirement when it is the whole run."""
    whole = set(parts) >= set(PARTS) - set(LONG)
    limit = WHOLE_RUN if whole and not set(parts) & set(LONG) else None
    return Figure("the run itself", f"{len(parts)} parts in sum", seconds, "s", limit)


def keep(part: str, found: list[Figure]) -> None:
    """Write a part's figures, and of what commit, when and beside what load they are."""
    argv = ["git", "describe", "--always", "--exclude=*"]
    commit = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M")
    said = {"part": part, "link": LINK, "commit": commit, "date": now, "load": os.getloadavg()[0]}
    said |= {"processors": os.cpu_count(), "figures": [asdict(one) for one in found]}
    (OUT / f"{part}-{LINK}.json").write_text(json.dumps(said, indent=1) + "\n")


def main() -> int:
    """Measure, write what was found, and return 1 when a figure misses its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "part", nargs="*", help=f"of {', '.join(PARTS)}; all but {', '.join(LONG)} when none is named"
    )
    parts = parser.parse_args().part or [part for part in PARTS if part not in LONG]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    OUT.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    found: list[Figure] = []
    for part in parts:
        mine = measure(part)
        keep(part, mine)
        found += mine
    found.append(in_sum(parts, time.monotonic() - began))
    text = table(found)
    (OUT / "figures.txt").write_text(text + "\n", encoding="utf-8")
    for name, picture in pictures(found).items():
        (OUT / name).write_text(picture, encoding="utf-8")
    print(text)
    say(f"JSON, table and pictures are in {OUT}")
    return int(any(figure.missed for figure in found))


if __name__ == "__main__":
    sys.exit(main())
