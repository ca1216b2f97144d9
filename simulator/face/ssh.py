"""The SSH face of one connection: authentication, channels, exec requests.

No PTY, no shell, no prompt: one command is one channel with one exec request, as on the array.
"""

import socket
import threading
import time
from dataclasses import dataclass, field

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    MSG_CHANNEL_REQUEST,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery

from simulator.face.algorithms import Offer
from simulator.face.interpreter import Answer, Interpreter
from simulator.face.limits import Gate
from simulator.instruments.counters import Counters

LOGIN_GRACE, LOGIN_POLL = 30.0, 0.1
MSG_USERAUTH_PASSWD_CHANGEREQ, EXPIRED = 60, -60  # RFC 4252, 8; and what says so here


@dataclass
class Access:
    """Who may log in; may change while the array runs. `keys` are public keys in base64.

    `interactive`: passwords are asked for («keyboard-interactive»), not taken. `expired`: who has the right
    password is asked for a new one.
    """

    user: str
    password: str
    keys: set[str] = field(default_factory=set)
    interactive: bool = False
    expired: bool = False


class _AuthHandler(AuthHandler):
    """Has a third answer to a password: a request for a new one."""

    def _send_auth_result(self, username: str, method: str, result: int) -> None:
        if result != EXPIRED:
            super()._send_auth_result(username, method, result)  # type: ignore[misc]
            server = self.transport.server_object
            if isinstance(server, Connection) and server.surplus:
                self.transport.close()  # the message of success has left, and nothing else will
            return
        message = paramiko.Message()
        message.add_byte(bytes([MSG_USERAUTH_PASSWD_CHANGEREQ]))
        message.add_string("Your password has expired.")
        message.add_string("")
        self.transport._send_message(message)  # type: ignore[attr-defined]


class _Transport(paramiko.Transport):
    """A transport that starts a command only after the channel's success message has left.

    Otherwise a fast command's exit and close could overtake it, which no real server does.
    """

    def _parse_newkeys(self, message: paramiko.Message) -> None:
        if self.auth_handler is None:
            self.auth_handler = _AuthHandler(self)
        super()._parse_newkeys(message)  # type: ignore[misc]

    @staticmethod
    def _request(channel: paramiko.Channel, message: paramiko.Message) -> None:
        paramiko.Channel._handle_request(channel, message)  # type: ignore[attr-defined]
        server = channel.get_transport().server_object
        if isinstance(server, Connection):
            server.start(channel)

    _channel_handler_table = {  # noqa: RUF012
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]
        MSG_CHANNEL_REQUEST: _request,
    }


class Connection(paramiko.ServerInterface):
    """One SSH connection; `serve` runs until it ends."""

    def __init__(self, access: Access, gate: Gate, interpreter: Interpreter, counters: Counters) -> None:
        self._access = access
        self._gate = gate
        self._interpreter = interpreter
        self._counters = counters
        self._transport: paramiko.Transport | None = None
        self._lock = threading.Lock()
        self._requests: dict[int, bytes] = {}
        self._channels = 0
        self._authenticated = False
        self._asked = ""
        self.surplus = False

    def serve(self, sock: socket.socket, host_key: paramiko.PKey, offer: Offer) -> None:
        """Speak SSH on a socket until the connection ends; always closes it."""
        transport = _Transport(sock)
        offer.apply(transport)
        self._transport = transport
        transport.add_server_key(host_key)
        try:
            transport.start_server(event=threading.Event(), server=self)
            if self._logged_in(transport):
                transport.join()
        finally:
            transport.close()
            with self._lock:
                left, self._channels = self._channels, 0
            for _ in range(left):
                self._counters.leave("channels")
            if not self.surplus:
                self._gate.leave(authenticated=self._authenticated)

    def _logged_in(self, transport: paramiko.Transport) -> bool:
        """Wait until the client is authenticated; False when it does not, in time, or is one too many."""
        deadline = time.monotonic() + LOGIN_GRACE
        while not transport.is_authenticated():
            transport.join(LOGIN_POLL)
            if not transport.is_alive() or time.monotonic() > deadline:
                return False
        return not self.surplus

    def close(self) -> None:
        """Drop the connection without a word."""
        if self._transport is not None:
            self._transport.close()

    def start(self, channel: paramiko.Channel) -> None:
        """Run the command that was asked for on this channel, if one was and is not running yet."""
        request = self._requests.pop(channel.get_id(), None)
        if request is not None:
            threading.Thread(target=self._run, args=(channel, request), daemon=True).start()

    def get_allowed_auths(self, username: str) -> str:
        """Offer passwords, and keys when some are known."""
        del username
        way = "keyboard-interactive" if self._access.interactive else "password"
        return f"{way},publickey" if self._access.keys else way

    def check_auth_password(self, username: str, password: str) -> int:
        """Accept the one user with the password of this moment."""
        self._counters.passed("passwords")
        if self._access.interactive:
            return AUTH_FAILED
        right = (username, password) == (self._access.user, self._access.password)
        return EXPIRED if right and self._access.expired else self._judge(right)

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        """Ask for the password."""
        del submethods
        self._asked = username
        return InteractiveQuery("", "", ("Password: ", False)) if self._access.interactive else AUTH_FAILED

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        """Judge the answer; one that has expired is followed by another question, as PAM does."""
        self._counters.passed("passwords")
        right = (self._asked, responses) == (self._access.user, [self._access.password])
        if right and self._access.expired:
            return InteractiveQuery("", "Your password has expired.", ("New password: ", False))
        return self._judge(right)

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Accept the one user with a known key (paramiko checks the signature)."""
        known = username == self._access.user and key.get_base64() in self._access.keys
        return AUTH_SUCCESSFUL if known else self._judge(known)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Open session channels up to the limit; a connection one too many ends here."""
        del chanid
        if not self._authenticated:  # by key: only now is the signature known to be right
            self._count_authenticated()
        if self.surplus:
            self.close()
            return OPEN_FAILED_RESOURCE_SHORTAGE
        with self._lock:
            limit = self._gate.limits.channels
            allowed = kind == "session" and (not limit or self._channels < limit)
            self._channels += allowed
        if not allowed:
            self._counters.happened("channels_refused")
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self._counters.enter("channels")
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Take one command per channel."""
        self._requests[channel.get_id()] = command
        return True

    def _judge(self, right: bool) -> int:  # noqa: FBT001
        if not right:
            self._counters.happened("authentication_failures")
            return AUTH_FAILED
        self._count_authenticated()
        return AUTH_SUCCESSFUL

    def _count_authenticated(self) -> None:
        self._authenticated = True
        self.surplus = not self._gate.authenticated()

    def _run(self, channel: paramiko.Channel, request: bytes) -> None:
        answer = self._interpreter.run(request.decode("utf-8", "replace"))
        try:
            self._reply(channel, answer)
        except (OSError, EOFError, paramiko.SSHException):
            self._counters.happened("answers_undeliverable")  # the client has gone
            self._release_channel()

    def _reply(self, channel: paramiko.Channel, answer: Answer) -> None:
        if answer.broken == "silence":
            channel.get_transport().join()
            return
        if not answer.broken:
            channel.sendall(answer.stdout.encode())
            channel.sendall_stderr(answer.stderr.encode())
        self._release_channel()  # before the client can know, so that its next channel is not one too many
        if answer.broken == "connection":
            self.close()
            return
        if not answer.broken:
            channel.send_exit_status(answer.status)
        channel.close()

    def _release_channel(self) -> None:
        with self._lock:
            counted = self._channels > 0
            self._channels -= counted
        if counted:
            self._counters.leave("channels")
