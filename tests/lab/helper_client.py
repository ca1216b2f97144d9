"""Runs in the guest: makes calls to the helper, each list of them on one connection, and says what it said.

A call is [verb, parameters]; an answer {"reply": [...]} or {"error": ..., "parameters": ...}, with "ms".
With an argument: the calls in it, once, the answers on standard output. Without: standing, JSON lines as of
tools/lab/channel.py over standard input, a port; {"op": "calls", "calls": [...]} is answered by
{"answers": [...]}, as many requests at once as come. To start Python for every call takes a guest a second.
"""

import json
import os
import socket
import sys
import threading
import time
from typing import Any


def main() -> None:
    """Make the calls of the first argument, or stand."""
    if len(sys.argv) > 1:
        print(json.dumps(made(json.loads(sys.argv[1]))))
    else:
        stand(threading.Lock())


def stand(lock: threading.Lock) -> None:
    """Take requests from the port until its other end is closed."""
    rest = b""
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in filter(None, lines):
            threading.Thread(target=respond, args=(json.loads(line), lock), daemon=True).start()


def respond(request: dict[str, Any], lock: threading.Lock) -> None:
    """Answer one request."""
    try:
        said = {"boot": ""} if request["op"] == "ping" else {"answers": made(request["calls"])}
    except OSError as error:
        said = {"error": str(error)}
    data = json.dumps({"id": request["id"], **said}).encode() + b"\n"
    with lock:
        while data:
            data = data[os.write(0, data) :]


def made(calls: list[tuple[str, dict[str, object]]]) -> list[dict[str, object]]:
    """Make calls on one connection."""
    with socket.socket(socket.AF_UNIX) as helper:
        helper.connect("/run/instorage/helper.sock")
        return [call(helper, verb, parameters) for verb, parameters in calls]


def call(helper: socket.socket, verb: str, parameters: dict[str, object]) -> dict[str, object]:
    """Make one call."""
    begun, replies, pending = time.monotonic(), [], b""
    message = {"method": f"io.inspur.instorage.Helper.{verb}", "parameters": parameters, "more": True}
    helper.sendall(json.dumps(message).encode() + b"\0")
    while True:
        while b"\0" not in pending:
            try:
                data = helper.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return {"error": "closed", "parameters": {"code": "closed"}, "ms": 0}
            pending += data
        text, _, pending = pending.partition(b"\0")
        answer = json.loads(text)
        replies.append(answer.get("parameters"))
        if not answer.get("continues"):
            break
    ms = round((time.monotonic() - begun) * 1000)
    if "error" in answer:
        return {"error": answer["error"], "parameters": answer["parameters"], "ms": ms}
    return {"reply": replies, "ms": ms}


main()
