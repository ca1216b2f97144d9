"""Root's `ExecStartPre=` of the helper: has its defaults made anew when what they come from has changed.

Each start of the helper waits for this, and nearly always nothing has. So no more than Python itself is
loaded before that is known (no pathlib either): what `helper_defaults` loads takes three times as long.
"""

import os
import sys

DEFAULTS = "/run/instorage/helper-defaults.conf"
SEEN = "/run/instorage/helper-defaults.seen"
PLACES = "/etc/instorage/places"
_VARIABLES = "INSTORAGE_"  # how those begin that say where things lie, as `places` does


def seen(source: str, places: str = PLACES) -> str:
    """Return what defaults that are made now, by this version, from `source` (instorage.yaml) come from."""
    said = sorted(item for item in os.environ.items() if item[0].startswith(_VARIABLES))
    return f"{source}\n{_marks_at(source)} {_marks_at(places)} {__file__} {said}\n"


def unchanged(defaults: str = DEFAULTS, note: str = SEEN, places: str = PLACES) -> bool:
    """Say whether the defaults are there, and come from what is there now."""
    try:
        with open(note, encoding="utf-8") as file:
            before = file.read()
        there = os.path.exists(defaults)  # noqa: PTH110
        return there and before == seen(before.partition("\n")[0], places)
    except (OSError, ValueError):
        return False


def marks(found: os.stat_result) -> str:
    """Return what shows that a file was changed or replaced."""
    return f"{found.st_dev}.{found.st_ino}.{found.st_size}.{found.st_mtime_ns}.{found.st_ctime_ns}"


def _marks_at(path: str) -> str:
    try:
        return marks(os.stat(path))  # noqa: PTH116
    except FileNotFoundError:
        return "none"


def main() -> int:
    """Run as root before the helper starts."""
    if unchanged():
        return 0
    from nodeagent.administration import helper_defaults

    return helper_defaults.main()


if __name__ == "__main__":
    sys.exit(main())
