"""Writes `start.prof`: how often helper and agent execute each line of Python's C when they start.

`python -m tools.dist.sampling`, after a change of Python's sources; most of its time goes into a Python that
is not optimised. The compiler takes the file as a sampling profile (clang, -fprofile-sample-use): lines are
counted from their function's, with the base discriminator where one line is several blocks, so one file does
for each processor. Callgrind counts every instruction; of those of one place the most frequent one counts.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from bisect import bisect
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tools.dist import interpreter, toolchain, tree
from tools.dist.wheels import wheels
from tools.install import NODE, ROOT, SITE
from tools.lab.fault import LabFault
from tools.lab.progress import to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROGRAMS: Final = ("helper.__main__", "nodeagent.__main__")
LEAST: Final = (
    100_000  # executed instructions of a function; the rest of 5,000 functions are a hundredth together
)
LIMIT: Final = 1800  # seconds for one program
_CALLGRIND: Final = (
    "setarch", "-R", "valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no",
    "--compress-strings=no",
)  # fmt: skip
_FACT: Final = re.compile(r"DW_AT_(name|low_pc|high_pc|decl_line)\s*: (.*)")
_PLACE: Final = re.compile(r".*:([1-9]\d*)(?: \(discriminator (\d+)\))?$")


class Function(NamedTuple):
    """A function as DWARF describes it: where its instructions begin, how many bytes they are, its line."""

    begin: int
    length: int
    name: str
    line: int


class Place(NamedTuple):
    """A place of a function: lines after its own, and which block of that line."""

    offset: int
    discriminator: int


def counted(lines: Iterable[str]) -> Counter[int]:
    """Return how often each instruction of the interpreter was executed, by address."""
    found: Counter[int] = Counter()
    ours = inclusive = False
    for line in lines:
        if line.startswith("ob="):
            ours = line.rstrip().endswith(interpreter.NAME)
        elif line.startswith("calls="):
            inclusive = True  # what the next line says is the callee's
        elif line.startswith("0x"):
            address, _, count = line.split()
            found[int(address, 16)] += int(count) if ours and not inclusive else 0
            inclusive = False
    return +found


def functions(lines: Iterable[str]) -> list[Function]:
    """Return the functions of `readelf --debug-dump=info`, by address."""
    found: list[Function] = []
    facts: dict[str, str] | None = None
    for line in lines:
        if "Abbrev Number" in line:
            facts = {} if "DW_TAG_subprogram" in line else None
        elif facts is not None and (fact := _FACT.search(line)):
            facts[fact[1]] = fact[2].strip().rsplit(": ", 1)[-1]
            if len(facts) == len(Function._fields):
                low, high, name = int(facts["low_pc"], 16), int(facts["high_pc"], 0), facts["name"]
                found.append(Function(low, high, name, int(facts["decl_line"], 0)))
                facts = None
    return sorted(found)


def base(discriminator: int) -> int:
    """Return the base of a discriminator, as LLVM's DILocation::getBaseDiscriminator reads it."""
    if discriminator & 1:
        return 0
    rest = discriminator >> 1
    return (rest >> 1) & 0xFE0 | rest & 0x1F if rest & 0x20 else rest & 0x1F


def profile(counts: Counter[int], known: list[Function], places: dict[int, str]) -> Iterator[str]:
    """Yield the lines of the profile, the functions with the most instructions first.

    `places`: what addr2line says of an address. A function of a header is compiled in each file that has
    it, and counts as one. Of others with one name the busiest is taken.
    """
    body: dict[tuple[str, int], Counter[Place]] = defaultdict(Counter)
    total: Counter[tuple[str, int]] = Counter()
    head: Counter[tuple[str, int]] = Counter()
    for address, count in sorted(counts.items()):
        at = bisect(known, address, key=lambda function: function.begin) - 1
        place = _PLACE.match(places[address])
        if at < 0 or address >= known[at].begin + known[at].length or not place:
            continue
        function = (known[at].name, known[at].line)
        where = Place((int(place[1]) - known[at].line) & 0xFFFF, base(int(place[2] or 1)))
        body[function][where] = max(body[function][where], count)
        total[function] += count
        head[function] += count if address == known[at].begin else 0
    named: set[str] = set()
    for function, instructions in total.most_common():
        if instructions >= LEAST and function[0] not in named:
            named.add(function[0])
            yield f"{function[0]}:{body[function].total()}:{head[function]}"
            for (offset, discriminator), count in sorted(body[function].items()):
                yield f" {offset}{f'.{discriminator}' if discriminator else ''}: {count}"


def _run(*argv: str | Path, given: str = "") -> str:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}
    if not shutil.which(str(argv[0]), path=environment["PATH"]):
        raise LabFault("dist-no-tool", f"{argv[0]} is not installed: apt-get install valgrind binutils.")
    done = subprocess.run(
        argv, input=given, capture_output=True, text=True, errors="replace", timeout=LIMIT, check=False,
        env=environment,
    )  # fmt: skip
    if done.returncode:
        raise LabFault("dist-not-sampled", f"{argv[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def main() -> int:
    """Write the profile beside this file."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "node")
        folder.mkdir()
        plain = interpreter.sampled(to_stderr)
        tree.assemble(folder, plain, wheels("node", toolchain.native(), to_stderr))
        for package in NODE.packages:
            shutil.copytree(ROOT / package, folder / SITE / package)
        tree.compile_all(folder, plain, "/", "lib")
        python, counts = folder / "bin" / interpreter.NAME, Counter[int]()
        for program in PROGRAMS:
            out = Path(scratch, program)
            _run(*_CALLGRIND, f"--callgrind-out-file={out}", python, "-I", "-c", f"import {program}")
            counts += counted(out.read_text().splitlines())
        known = functions(_run("readelf", "--debug-dump=info", python).splitlines())
        addresses = sorted(counts)
        said = _run("addr2line", "-e", python, given="\n".join(map(hex, addresses))).splitlines()
        lines = profile(counts, known, dict(zip(addresses, said, strict=True)))
        interpreter.PROFILE.write_text("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
