"""Making one SSH connection to an array: TCP, key exchange, host key, password, all before one deadline."""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

import paramiko

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from instorage.arrays.as18000.session.host_keys import HostKeyFile
    from instorage.arrays.endpoint import Endpoint

_RSA = ("rsa-sha2-512", "rsa-sha2-256")  # a pinned ssh-rsa key is shown under these signature types
# a program without a log would have the tracebacks of paramiko's threads on its standard error
logging.getLogger("paramiko").addHandler(logging.NullHandler())
_NO_WORD = ("saw EOF", "timeout")  # how paramiko says that the array said nothing about the password


class Dropped(Exception):
    """The array closed the connection before the login was through, as it does in bursts: worth repeating."""


def login(endpoint: Endpoint, pins: HostKeyFile, password: str, deadline: float) -> paramiko.Transport:
    """Return an authenticated transport, before `deadline` (monotonic seconds).

    ARRAY_UNREACHABLE, ARRAY_HOST_KEY, ARRAY_AUTHENTICATION; `Dropped` when another attempt may succeed.
    """
    transport = paramiko.Transport(_dial(endpoint, deadline))
    try:
        _shake(transport, endpoint, pins, deadline)
        _authenticate(transport, endpoint, password, deadline)
    except BaseException:
        transport.close()
        raise
    return transport


def unreachable(endpoint: Endpoint, why: str) -> Fault:
    """Return ARRAY_UNREACHABLE with the address and what to look at."""
    return Fault(
        Code.ARRAY_UNREACHABLE,
        f"Array {endpoint.name} cannot be reached at {endpoint.place}: {why}. Check storage[].host in "
        "the configuration, the management network and the firewall between, and the array's SSH service.",
        array=endpoint.name,
        address=endpoint.place,
    )


def _dial(endpoint: Endpoint, deadline: float) -> socket.socket:
    try:
        connection = socket.create_connection((endpoint.address, endpoint.port), timeout=_left(deadline))
    except OSError as error:
        why = error.strerror or str(error) or "no answer"
        raise unreachable(endpoint, "no answer" if isinstance(error, TimeoutError) else why) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # a peer that vanished is noticed by the kernel in half a minute, not in a quarter of an hour
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    return connection


def _shake(transport: paramiko.Transport, endpoint: Endpoint, pins: HostKeyFile, deadline: float) -> None:
    transport.banner_timeout = transport.handshake_timeout = _left(deadline)
    _prefer(transport, pins.kinds(endpoint))
    try:
        transport.start_client(timeout=_left(deadline))
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Dropped(str(error) or "the connection was closed") from error
    pins.check(endpoint, key)  # before the password leaves


def _prefer(transport: paramiko.Transport, kinds: tuple[str, ...]) -> None:
    """Ask for the pinned kind of key first: another key of the same array would look like a change."""
    options = transport.get_security_options()
    known = tuple(options.key_types)
    wanted = [name for kind in kinds for name in (_RSA if kind == "ssh-rsa" else (kind,)) if name in known]
    options.key_types = tuple(dict.fromkeys([*wanted, *known]))


def _authenticate(transport: paramiko.Transport, endpoint: Endpoint, password: str, deadline: float) -> None:
    transport.auth_timeout = _left(deadline)
    try:
        left = transport.auth_password(endpoint.username, password)
    except paramiko.AuthenticationException as error:
        if any(mark in str(error) for mark in _NO_WORD):
            # closed or silent instead of answered: too many logins at the same time
            raise Dropped(str(error) or "the connection was closed during the login") from error
        raise _rejected(endpoint, error) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise Dropped(str(error) or "the connection was closed during the login") from error
    if left:
        raise _rejected(endpoint, paramiko.AuthenticationException())


def _rejected(endpoint: Endpoint, error: paramiko.AuthenticationException) -> Fault:
    why = "the user name or the password"
    if isinstance(error, paramiko.BadAuthenticationType):
        why = "logins by password for the user"
    return Fault(
        Code.ARRAY_AUTHENTICATION,
        f"Array {endpoint.name} ({endpoint.place}) refused {why} «{endpoint.username}»: correct "
        "storage[].username and password (or shadow) in the configuration; no restart is needed.",
        array=endpoint.name,
        username=endpoint.username,
    )


def _left(deadline: float) -> float:
    return max(0.1, deadline - time.monotonic())
