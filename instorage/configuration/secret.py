"""A secret as a type: what prints, formats or logs it shows stars; only `reveal` gives it away."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from instorage.wire.fault import Fault


class Secret:
    """A password. Comparable, but never shown: `str`, `repr` and f-strings say ***, pickling is refused."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the clear text: to be called where it is handed to the array, and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written out")

    def _bytes(self) -> bytes:
        return self._text.encode("utf-8", "surrogatepass")


class SealedSecret(Secret):
    """A secret that cannot be read: whoever needs it gets the fault that says why and how to mend it."""

    __slots__ = ("_fault",)

    def __init__(self, fault: Fault) -> None:
        super().__init__("")
        self._fault = fault

    def reveal(self) -> str:
        """Raise the fault."""
        raise self._fault

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
