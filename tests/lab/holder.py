"""Runs in the guest: makes calls to the helper on one connection, which stays open until this is killed.

Arguments: a file for the answers (JSON, written anew with each), and the calls as JSON. The call «wait» waits
until a file is there.
"""

import json
import os
import signal
import socket
import sys
import time


def main() -> None:
    """Make the calls and wait for the end."""
    path, calls = sys.argv[1], json.loads(sys.argv[2])
    with socket.socket(socket.AF_UNIX) as helper:
        helper.connect("/run/instorage/helper.sock")
        answers = []
        for verb, parameters in calls:
            answers.append(call(helper, verb, parameters))
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                json.dump(answers, file)
            os.rename(f"{path}.new", path)
        signal.pause()


def call(helper: socket.socket, verb: str, parameters: dict[str, object]) -> dict[str, object]:
    """Make one call and return its parameters, a fault's as well."""
    while verb == "wait":
        if os.path.exists(str(parameters["file"])):
            return {}
        time.sleep(0.05)
    message = {"method": f"io.inspur.instorage.Helper.{verb}", "parameters": parameters}
    helper.sendall(json.dumps(message).encode() + b"\0")
    pending = b""
    while not pending.endswith(b"\0"):
        data = helper.recv(65536)
        if not data:
            return {"code": "closed"}
        pending += data
    answer: dict[str, object] = json.loads(pending[:-1]).get("parameters", {})
    return answer


main()
