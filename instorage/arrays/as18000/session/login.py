"""Making one SSH connection to an array: key exchange, host key, password, all before one deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import paramiko

from instorage.arrays.as18000.session import fault, legacy
from instorage.arrays.as18000.session.answer import clean
from instorage.arrays.as18000.session.connection import Full
from instorage.arrays.as18000.session.transport import ArrayTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from instorage.arrays.as18000.session.host_keys import HostKeyFile
    from instorage.arrays.endpoint import Endpoint

_RSA = (
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-rsa",
)  # a pinned ssh-rsa key is shown under these signature types
# How paramiko says that the array said nothing about the password, which in the last case did not even leave.
_NO_WORD = ("saw EOF", "timeout", "No existing session")
_FORGED = "Signature verification"  # as paramiko begins it
_PASSWORD, _INTERACTIVE = "password", "keyboard-interactive"
# Reasons of a disconnect (RFC 4253, 11.1) that mean the login: host not allowed, «too many authentication
# failures» as OpenSSH sends it, no more methods, user name.
_REFUSING = frozenset({1, 2, 14, 15})
_BROKEN = (paramiko.SSHException, EOFError, OSError)


class Dropped(Exception):
    """The array closed the connection before the login was through, as it does in bursts: worth repeating."""


class MoreWanted(paramiko.SSHException):
    """The array has the password and asks for something else; the text is the array's."""


def login(
    connection: socket.socket, endpoint: Endpoint, pins: HostKeyFile, password: str, deadline: float
) -> ArrayTransport:
    """Return an authenticated transport on a connected socket, before `deadline` (monotonic seconds).

    ARRAY_ALGORITHMS, ARRAY_HOST_KEY, ARRAY_AUTHENTICATION; `Dropped` when another attempt may succeed, `Full`
    when the array took the password and closed. The password leaves once at most.
    """
    kind = legacy.LegacyTransport if endpoint.legacy else ArrayTransport
    transport = kind(connection)
    try:
        _shake(transport, endpoint, pins, deadline)
        _authenticate(transport, endpoint, password, deadline)
    except BaseException:
        transport.close()
        raise
    return transport


def _shake(transport: ArrayTransport, endpoint: Endpoint, pins: HostKeyFile, deadline: float) -> None:
    transport.banner_timeout = transport.handshake_timeout = _left(deadline)
    _prefer(transport, pins.kinds(endpoint))
    try:
        transport.start_client(timeout=_left(deadline))
        key = transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        would = not endpoint.legacy and legacy.suits(legacy.LegacyTransport, transport.offer)
        raise fault.incompatible(endpoint, transport.offer, legacy_would=would, why=str(error)) from error
    except _BROKEN as error:
        if _FORGED in str(error):
            raise fault.unproven(endpoint) from error
        raise Dropped(_said(transport, error) or "the connection was closed") from error
    pins.check(endpoint, key)  # before the password leaves


def _prefer(transport: ArrayTransport, kinds: tuple[str, ...]) -> None:
    """Ask for the pinned kind of key first: another key of the same array would look like a change."""
    options = transport.get_security_options()
    known = tuple(options.key_types)
    wanted = [name for kind in kinds for name in (_RSA if kind == "ssh-rsa" else (kind,)) if name in known]
    options.key_types = tuple(dict.fromkeys([*wanted, *known]))


def _authenticate(transport: ArrayTransport, endpoint: Endpoint, password: str, deadline: float) -> None:
    transport.auth_timeout = _left(deadline)
    method = _method(transport, endpoint)
    if transport.is_authenticated():  # without a password
        return
    transport.auth_timeout = _left(deadline)
    try:
        if method == _PASSWORD:
            wanted = transport.auth_password(endpoint.username, password, fallback=False)
        else:
            wanted = transport.auth_interactive(endpoint.username, _Once(password))
    except _BROKEN as error:
        raise _judged(transport, endpoint, error) from error
    if wanted:
        raise fault.more_wanted(endpoint, "")


def _method(transport: ArrayTransport, endpoint: Endpoint) -> str:
    """Ask how one may log in, as OpenSSH does: a password that was refused is not tried by another method."""
    allowed: Sequence[str] = (_PASSWORD,)
    try:
        transport.auth_none(endpoint.username)
    except paramiko.BadAuthenticationType as error:
        allowed = error.allowed_types
    except _BROKEN as error:
        if not isinstance(error, paramiko.AuthenticationException) or _silent(error):  # no password has left
            raise Dropped(_said(transport, error) or "the connection was closed during the login") from error
    for method in (_PASSWORD, _INTERACTIVE):
        if method in allowed:
            return method
    raise fault.rejected(endpoint, "logins by password for the user")


class _Once:
    """Answers the first question for one thing with the password, and no other."""

    def __init__(self, password: str) -> None:
        self._answers = [password]

    def __call__(self, title: str, instructions: str, questions: list[tuple[str, bool]]) -> list[str]:
        if not questions:
            return []
        if len(questions) == 1 and self._answers:
            return [self._answers.pop()]
        asked = " ".join([title, instructions, *(question for question, _ in questions)])
        raise MoreWanted(clean(asked))


def _judged(transport: ArrayTransport, endpoint: Endpoint, error: Exception) -> Exception:
    """Return what came of a password that left: `Dropped` only if the array said nothing about it."""
    handler = transport.auth_handler
    if handler is not None and handler.is_authenticated():
        return Full("the connection was closed with the array's yes")
    if _silent(error):
        if transport.farewell is not None and transport.farewell[0] in _REFUSING:
            return fault.rejected(endpoint)
        # closed or silent instead of answered: too many logins at the same time
        return Dropped(_said(transport, error) or "the connection was closed during the login")
    if isinstance(error, paramiko.AuthenticationException):
        return fault.rejected(endpoint)
    # The answer is none to a password: a request for a new one has the same number as a question of another
    # method (RFC 4252, 8), and paramiko calls it illegal.
    return fault.more_wanted(endpoint, str(error) if isinstance(error, MoreWanted) else "")


def _silent(error: Exception) -> bool:
    return isinstance(error, EOFError | OSError) or any(mark in str(error) for mark in _NO_WORD)


def _said(transport: ArrayTransport, error: Exception) -> str:
    return transport.farewell[1] if transport.farewell else str(error)


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
