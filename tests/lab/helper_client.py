"""Runs in the guest: makes the calls given as JSON on one connection to the helper, prints the answers.

A call is [verb, parameters]; an answer {"reply": [...]} or {"error": ..., "parameters": ...}, with "ms".
"""

import json
import socket
import sys
import time


def main() -> None:
    """Make the calls of the first argument."""
    with socket.socket(socket.AF_UNIX) as helper:
        helper.connect("/run/instorage/helper.sock")
        print(json.dumps([call(helper, verb, parameters) for verb, parameters in json.loads(sys.argv[1])]))


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
