"""Value types that parse or raise: what has one of these types has been checked.

Each is a `str` or `int` with a `parse` that takes text from a peer and raises `Fault(BAD_REQUEST)` naming
what is wrong. Patterns are anchored with `fullmatch` and restricted to ASCII: no newline, no leading dash, no
look-alike gets through.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from typing import Self

from instorage.wire.fault import Code, Fault
from instorage.wire.record import Record

_PORTAL = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{1,5})", re.ASCII)


def _shown(text: object) -> str:
    return repr(text)[:80]


class Text(str):
    """Text of one pattern; `wanted` is how people call it."""

    pattern: re.Pattern[str]
    wanted: str
    folded = False
    """Whether lower case is the one spelling that is compared and stored, as Linux prints it."""

    @classmethod
    def parse(cls, text: object) -> Self:
        """Take `text` if it has the type's pattern, else raise `Fault(BAD_REQUEST)`."""
        if isinstance(text, str) and cls.pattern.fullmatch(text):
            return cls(text.lower() if cls.folded else text)
        raise Fault(Code.BAD_REQUEST, f"{_shown(text)} is not {cls.wanted}.", value=_shown(text))


class VolumeUid(Text):
    """An NAA type 6 identifier, 32 hex digits, lower case (the array prints it in upper case)."""

    pattern = re.compile(r"6[0-9A-Fa-f]{31}", re.ASCII)
    wanted = "a volume UID (32 hex digits that begin with 6)"
    folded = True


class Iqn(Text):
    """An iSCSI name: iqn., eui. or naa. form, at most 223 characters (RFC 7143).

    Capitals mean the same as small letters (RFC 3722), but who logs in sends them as they are written: the
    spelling is kept, and names are compared in lower case.
    """

    pattern = re.compile(
        r"(?:iqn\.[0-9]{4}-(?:0[1-9]|1[0-2])\.[A-Za-z0-9](?:[A-Za-z0-9.:_-]{0,210})"
        r"|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]{16}(?:[0-9A-Fa-f]{16})?)",
        re.ASCII,
    )
    wanted = "an iSCSI name (iqn.yyyy-mm.domain:name)"


class Wwpn(Text):
    """A Fibre Channel port name: 16 hex digits, lower case."""

    pattern = re.compile(r"[0-9A-Fa-f]{16}", re.ASCII)
    wanted = "a WWPN (16 hex digits)"
    folded = True


class RequestId(Text):
    """Names one request in every process and in the journal (`INSTORAGE_OP`)."""

    pattern = re.compile(r"[0-9a-z]{4,32}", re.ASCII)
    wanted = "a request id (4 to 32 lower-case letters and digits)"


class FsType(Text):
    """A file system that may be made and mounted here. Nothing else, so no fuse.*, overlay, nfs."""

    pattern = re.compile(r"ext4|ext3|xfs", re.ASCII)
    wanted = "a file system type that is served (ext4, ext3, xfs)"


class MountOption(Text):
    """One harmless token: no comma, no quote; with a '=' only SELinux' `context=` and a label."""

    __slots__ = ()
    context = r"|context=[a-z_]\w{0,31}:object_r:[a-z_]\w{0,63}(:s\d{1,2}(:c\d{1,4}(\.c\d{1,4})?)?)?"
    pattern = re.compile(r"no(dir)?atime|(rel|strict)atime|lazytime|noexec|(dir)?sync" + context, re.ASCII)
    wanted = "an allowed mount option (noatime, nodiratime, relatime, strictatime, lazytime, context=...)"


class Lun(int):
    """A logical unit number, 0 to 16383; compared as a number (LUN 1 is not LUN 11)."""

    @classmethod
    def parse(cls, number: object) -> Self:
        """Take `number` if it is in range, else raise `Fault(BAD_REQUEST)`."""
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= 16383:
            return cls(number)
        raise Fault(Code.BAD_REQUEST, f"{_shown(number)} is not a LUN (0 to 16383).", value=_shown(number))


class Bytes(int):
    """A size in bytes: positive, a multiple of 512, below 2^60."""

    @classmethod
    def parse(cls, number: object) -> Self:
        """Take `number` if it is in range, else raise `Fault(BAD_REQUEST)`."""
        if isinstance(number, int) and 0 < number < 1 << 60 and number % 512 == 0:
            return cls(number)
        text = f"{_shown(number)} is not a size in bytes (a multiple of 512)."
        raise Fault(Code.BAD_REQUEST, text, value=_shown(number))


class Portal(Record):
    """An iSCSI portal: a numeric address and a TCP port."""

    address: str
    port: int

    @classmethod
    def parse(cls, text: object) -> Portal:
        """Take «10.9.0.1:3260» or «[fd00::1]:3260»; the port is needed, names are not resolved."""
        match = _PORTAL.fullmatch(str(text))
        if isinstance(text, str) and match and 0 < int(match[3]) < 65536:
            with contextlib.suppress(ValueError):
                return cls(str(ipaddress.ip_address(match[1] or match[2])), int(match[3]))
        raise Fault(Code.BAD_REQUEST, f"{_shown(text)} is not a portal (address:port).", value=_shown(text))

    @classmethod
    def spelled(cls, address: str, port: str) -> str:
        """Return the text of a portal that others may spell otherwise; what is none stays as it is."""
        text = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        with contextlib.suppress(Fault):
            return str(cls.parse(text))
        return text

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"
