"""make bench: one run of all parts, told as a table, as JSON and as pictures below build/bench.

make bench                      all parts (25 minutes)
make bench PART="stub claims"   some
PEER=/path/to/instorage-flexvolume make bench PART=node   another FlexVolume driver on the node beside ours
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import measured
from benchmarks.figures import Figure, table
from benchmarks.on_a_node import Node
from benchmarks.plot import pictures
from benchmarks.work import BenchmarkFailed
from tools.lab.fault import LabFault
from tools.lab.lab import Lab
from tools.lab.product import Product
from tools.lab.san import San

if TYPE_CHECKING:
    from collections.abc import Iterator

OUT = Path("build/bench")
PARTS = (*measured.TESTS, "node")


def say(text: str) -> None:
    """Print a line about the run itself."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def node() -> Iterator[Node]:
    """Have a node with the product and an array, freshly loaded."""
    with Lab(("a",), report=say) as lab:
        lab.start()
        with San(lab) as san:
            product = Product(lab.node("a"))
            product.install()
            yield Node(product, san, os.environ.get("PEER", ""))


def on_the_node() -> Iterator[Figure]:
    """Run what needs a kernel and a SAN, in one load of the machines."""
    with node() as here:
        yield from here.first()
        yield from here.warm()
        yield from here.at_rest()
        yield from here.cold()
        yield from here.latencies()
        yield from here.peers()
        for count in (5, 20):
            yield from here.many(count)
        here.done()


def measure(parts: list[str]) -> list[Figure]:
    """Run the parts one after the other; what one has found is told at once."""
    found: list[Figure] = []
    for part in parts:
        began = time.monotonic()
        mine: list[Figure] = []
        try:
            for figure in on_the_node() if part == "node" else measured.run(part):
                mine.append(figure)
                say(f"  {figure.what}: {figure.value:.2f} {figure.unit}")
        except (BenchmarkFailed, LabFault) as failed:
            mine.append(Figure(part, f"broken off: {failed}", 1.0, "(0: whole)", 0.0))
        found += [*mine, Figure("the run itself", part, time.monotonic() - began, "s")]
    return found


def main() -> int:
    """Measure, write what was found, and return 1 when a figure misses its target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    parts = parser.parse_args().part or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    found = measure(parts)
    OUT.mkdir(parents=True, exist_ok=True)
    text = table(found)
    (OUT / "figures.txt").write_text(text + "\n", encoding="utf-8")
    (OUT / "figures.json").write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
    for name, picture in pictures(found).items():
        (OUT / name).write_text(picture, encoding="utf-8")
    print(text)
    say(f"JSON, table and pictures are in {OUT}")
    return int(any(figure.missed for figure in found))


sys.exit(main())
