"""Ways through the lab's wall, each opened by name: a listener here, one target there.

A node's API server is a unix socket; the API server's way to kubelets is an HTTP proxy on one (Kubernetes'
egress selector); the provisioner's way to the array is a port on loopback.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, Self

CHUNK: Final = 1 << 16
START_LIMIT: Final = 10.0  # seconds
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay:
    """Listeners that pass bytes on, in one thread of their own; a context manager that ends them."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._servers: list[asyncio.Server] = []
        self._joined: set[asyncio.Task[None]] = set()  # asyncio itself holds tasks weakly

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(START_LIMIT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_LIMIT)
        self._loop.close()

    def socket_to_port(self, path: Path, port: int) -> None:
        """Pass what comes to the unix socket on to a port of this machine's loopback."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._join((reader, writer), lambda: asyncio.open_connection("127.0.0.1", port))

        self._serve(lambda: asyncio.start_unix_server(serve, path))

    def port_to_socket(self, path: Path) -> int:
        """Return a port of loopback; what comes to it is passed on to the unix socket."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._join((reader, writer), lambda: asyncio.open_unix_connection(path))

        server = self._serve(lambda: asyncio.start_server(serve, "127.0.0.1", 0))
        return int(server.sockets[0].getsockname()[1])

    def proxy(self, path: Path, ports: Mapping[str, int]) -> None:
        """Serve HTTP's CONNECT on the unix socket, for the `host:port` names of `ports` alone."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            port = await _asked(reader, ports)
            if port is None:
                writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                writer.close()
                return
            greeting = b"HTTP/1.1 200 OK\r\n\r\n"
            await self._join((reader, writer), lambda: asyncio.open_connection("127.0.0.1", port), greeting)

        self._serve(lambda: asyncio.start_unix_server(serve, path))

    async def _join(
        self, near: Streams, connect: Callable[[], Awaitable[Streams]], greeting: bytes = b""
    ) -> None:
        task = asyncio.ensure_future(_join(near, connect, greeting))
        self._joined.add(task)
        task.add_done_callback(self._joined.discard)

    def _serve(self, start: Callable[[], Awaitable[asyncio.Server]]) -> asyncio.Server:
        async def started() -> asyncio.Server:
            return await start()

        server = asyncio.run_coroutine_threadsafe(started(), self._loop).result(START_LIMIT)
        self._servers.append(server)
        return server

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        here = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not here]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


async def _asked(reader: asyncio.StreamReader, ports: Mapping[str, int]) -> int | None:
    """Return the port of the name that a CONNECT asks for, None for anything else."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return None
    method, name, *_ = [*head.split(), b"", b""]
    return ports.get(name.decode(errors="replace")) if method == b"CONNECT" else None


async def _join(near: Streams, connect: Callable[[], Awaitable[Streams]], greeting: bytes = b"") -> None:
    """Pass bytes both ways until both sides have ended; a target that is not there closes the near side."""
    try:
        far = await connect()
    except OSError:
        near[1].close()
        return
    near[1].write(greeting)
    try:
        await asyncio.gather(_pump(near[0], far[1], near[1]), _pump(far[0], near[1], far[1]))
    except asyncio.CancelledError:
        return  # the relay ends; asyncio's streams would report the cancellation as an error
    finally:
        for _, writer in (near, far):
            writer.close()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()  # the other way then ends as well
        back.close()
