"""In which language the administrator's programs speak: English, or Chinese where that is asked for.

As gettext has it: LC_ALL, LC_MESSAGES, LANG give the locale, LANGUAGE a list of languages that goes before
it. The locale must be one of UTF-8. A sentence is made in English, in whatever process, and translated only
where it is shown (`translation.py`), so codes, commands and what goes to the journal, to kubelet or to
`--json` stay as they are. English costs a look at the environment, and loads nothing.

It runs on Python 3.8 too, inside of `kubectl-instorage`.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOMAIN = "instorage"
CHINESE = "zh_CN"
_SIMPLIFIED = ("zh", "zh_CN", "zh_SG", "zh_Hans", "zh_Hans_CN")
_ENGLISH = ("C", "POSIX", "en")


def chosen(environment: Mapping[str, str]) -> str:
    """Return `zh_CN`, or «» for English."""
    values = (environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((value for value in values if value), "")
    name, _, encoding = locale.partition("@")[0].partition(".")
    if name in ("", "C", "POSIX") or encoding.lower().replace("-", "") != "utf8":
        return ""
    for wanted in [one for one in environment.get("LANGUAGE", "").split(":") if one] or [name]:
        if wanted.partition(".")[0] in _SIMPLIFIED:
            return CHINESE
        if wanted.partition("_")[0] in _ENGLISH:
            return ""
    return ""


@functools.lru_cache(maxsize=1)
def _translator() -> Callable[[str], str] | None:
    """Return what translates a text; None for English, or when this program brings no translation."""
    language = chosen(os.environ)
    if not language:
        return None
    from instorage import translation

    return translation.translator(language)


def said(text: str) -> str:
    """Return a text for people in their language; what has no translation as it is."""
    translate = _translator()
    return text if translate is None else translate(text)


def speak() -> None:
    """Let argparse's own words («usage:») be in that language too, when its catalogue is a file."""
    if _translator() is not None:
        import gettext

        from instorage import translation

        gettext.bindtextdomain(DOMAIN, str(translation.DIRECTORY))
        gettext.textdomain(DOMAIN)
