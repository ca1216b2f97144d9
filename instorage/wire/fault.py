"""The one error of the system: a stable code, a sentence for people, fields for programs.

A `Fault` crosses every process boundary unchanged (varlink error parameters between agent and helper, a
FlexVolume `message` towards kubelet, `INSTORAGE_CODE` in the journal), so its code is stable and its sentence
names the thing and the mend.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

Field = str | int | bool
MAX_SENTENCE = 2000


class Code(StrEnum):
    """Every code that exists. Never renamed, never re-used."""

    # what somebody asked for or wrote
    BAD_REQUEST = "bad-request"  # a message or argument that is malformed
    BAD_CONFIGURATION = "bad-configuration"
    NOT_SUPPORTED = "not-supported"  # not in this version
    NOT_ALLOWED = "not-allowed"  # a peer, target, portal or option outside of what is permitted
    NOT_SIGNED = "not-signed"  # no valid signature gives this volume to whoever asks (host.volumeKey)
    # the array
    ARRAY_UNREACHABLE = "array-unreachable"
    ARRAY_AUTHENTICATION = "array-authentication"
    ARRAY_HOST_KEY = "array-host-key"  # the array's SSH key differs from the pinned one
    ARRAY_ALGORITHMS = "array-ssh-algorithms"  # the array's SSH offers none that this program uses
    ARRAY_SESSIONS = "array-sessions"  # all SSH sessions of the array are taken
    ARRAY_REFUSED = "array-refused"  # a CMMVC error without a code of its own here
    ARRAY_BUSY = "array-busy"  # it is not well for the moment, and did nothing for as long as it was asked
    ARRAY_ANSWER = "array-answer"  # an answer that cannot be understood
    OUTCOME_UNKNOWN = "outcome-unknown"  # connection lost under a command; state must be read again
    POOL_FULL = "pool-full"
    POOL_MISSING = "pool-missing"
    VOLUME_MISSING = "volume-missing"
    VOLUME_EXISTS = "volume-exists"  # under that name, with other properties
    VOLUME_MAPPED_ELSEWHERE = "volume-mapped-elsewhere"
    VOLUME_MAPPED = "volume-mapped"  # cannot be deleted
    VOLUME_PROTECTED = "volume-protected"  # the array keeps it for some minutes after I/O: it goes by itself
    VOLUME_NOT_READY = "volume-not-ready"  # offline, formatting, an unfinished expansion
    HOST_OBJECT = "host-object"  # the host object on the array is not surely this machine's
    HOST_MISSING = "host-missing"
    NAME_INVALID = "name-invalid"
    # the node
    TOOL_MISSING = "tool-missing"  # iscsiadm, multipathd, mkfs... is not installed
    NO_PATH = "no-path"  # no path to the volume came up
    PORTAL_UNREACHABLE = "portal-unreachable"
    WRONG_DEVICE = "wrong-device"  # page 0x83 or size differs from what the array says
    NO_MULTIPATH = "no-multipath"  # a map is demanded and there is none
    MAP_QUEUES = "map-queues"  # a map that would wait for a path for ever
    DEVICE_BUSY = "device-busy"  # mounted or held by somebody; the holder is named
    NOT_EMPTY = "not-empty"  # not proven new: not formatted
    FILE_SYSTEM = "file-system"  # fsck or mount could not
    READ_ONLY_FIRST_USE = "read-only-first-use"
    NOT_OURS = "not-ours"  # what is there belongs to somebody else
    BARRIER = "barrier"  # an interrupted active-active expansion stops this host
    HELPER_BUSY = "helper-busy"  # it serves as many connections as it may; nothing was done
    LOCK_TIMEOUT = "lock-timeout"
    LOCK_LOST = "lock-lost"
    TOOL_FAILED = "tool-failed"  # a program answered with an error that has no code of its own
    TIMEOUT = "timeout"
    # the processes themselves
    CREDENTIAL_PLUGIN = "credential-plugin"  # the program that gives access to Kubernetes gives none
    HELPER_UNREACHABLE = "helper-unreachable"
    PROTOCOL = "protocol"
    INTERNAL = "internal"


class Fault(Exception):
    """An error as people and programs see it.

    `sentence` is whole («Pool Pool0 on array storage-01 has 2.0 GiB free, 5.0 GiB are needed: free space or
    use another pool.»), without a trailing newline. `fields` hold plain values, lower-case keys.
    """

    def __init__(self, code: Code, sentence: str, **fields: Field) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence[:MAX_SENTENCE]
        self.fields = fields

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return f"Fault({self.code.value}, {self.sentence!r}, {self.fields!r})"

    def to_wire(self) -> dict[str, object]:
        """Return the parameters of the varlink error `io.inspur.instorage.Helper.Fault`."""
        fields = {key: str(value) for key, value in self.fields.items()}
        return {"code": self.code.value, "sentence": self.sentence, "fields": fields}

    @classmethod
    def from_wire(cls, parameters: Mapping[str, object]) -> Self:
        """Rebuild a fault that another process sent; a code from a newer version becomes INTERNAL."""
        raw = str(parameters.get("code", ""))
        code = Code(raw) if raw in set(Code) else Code.INTERNAL
        fields = found if isinstance(found := parameters.get("fields"), dict) else {}
        known = {str(key): str(fields[key]) for key in fields if key not in ("code", "sentence")}
        return cls(code, str(parameters.get("sentence", raw)), **known)
