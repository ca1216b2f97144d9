"""`python -m tools.messages`: bring `po/` up to date after a sentence was added, changed or removed.

What is translated stays; a text that is new gets an entry without a translation, one that is gone goes.
Exit status 1 while something is not translated.
"""

from __future__ import annotations

import sys

from tools.messages import catalogue


def main() -> int:
    """Write template and translations; name what is left to do."""
    entries = catalogue.entries()
    catalogue.write(entries)
    missing = [one.text for one in entries if not one.translation]
    for text in missing:
        print(f"not translated: {text}")
    print(f"{catalogue.TRANSLATION}: {len(entries)} texts, {len(missing)} not translated.")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
