"""From a call's arguments to its answer: parse, join or run, take the volume's lock, say how it ended."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import time
from typing import TYPE_CHECKING

from instorage import trail
from instorage.wire.fault import Code, Fault
from instorage.wire.values import RequestId
from nodeagent.calls import detach, expandfs, mount, mountdevice, unmountdevice, waitforattach
from nodeagent.operation import flexvolume, journal
from nodeagent.operation.answer import Answer, Status, failure
from nodeagent.operation.node import Operation
from nodeagent.operation.progress import Progress
from nodeagent.service import underway
from nodeagent.service.flight import Flights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from instorage.volume_name import VolumeName
    from nodeagent.operation.flexvolume import Request
    from nodeagent.operation.node import Node
    from nodeagent.operation.progress import Listener
    from nodeagent.recovery.reconciliation import Reconciler

PATIENCE = {"waitforattach": 510.0, "detach": 20.0}
"""Seconds that a call may wait for others; the stub's own deadlines are 540, 25 and 100 s."""
OTHERS_PATIENCE = 90.0
IN_USE = ("detach", "expandfs")
"""Calls for a volume that a pod has, or that is another node's: they leave nothing to settle."""
_LOG = logging.getLogger(__name__)


def new_request() -> RequestId:
    """Return a request id that no other request has."""
    return RequestId(secrets.token_hex(5))


class Dispatcher:
    """Answers calls; `reconciler` learns of every volume that may be left unfinished."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.flights = Flights()
        self._reconciler: Reconciler | None = None

    def use(self, reconciler: Reconciler) -> None:
        """Tell `reconciler` how calls end, from now on."""
        self._reconciler = reconciler

    def answer(self, argv: Sequence[str], listener: Listener) -> Answer | None:
        """Return the answer to one call; None when its caller left while it waited for another's run."""
        if list(argv) == [underway.CALL]:
            return underway.answer(self.flights, self._node.trouble)
        op = new_request()
        try:
            request = flexvolume.parse(argv)
        except Fault as fault:
            call = argv[0][:40] if argv else ""
            said = self._node.trouble.failed(f"reading {call}", fault, op)
            with journal.working_on(op, ""):
                if said.anew:
                    _LOG.warning("%s refused%s: %s", call, said.times, fault, extra=journal.coded(fault))
            return failure(fault, op)
        if isinstance(request, Answer):
            return request
        progress = Progress(op)
        return self.flights.run(
            request,
            progress,
            listener,
            lambda: self._run(request, progress),
            lambda answer: self._tell(request, progress, answer),
        )

    @contextlib.contextmanager
    def begin(self, what: str, name: VolumeName | None) -> Iterator[Operation]:
        """Open an operation that no caller waits for."""
        op = new_request()
        with journal.working_on(op, name or ""):
            progress = Progress(op)
            progress.say(what)
            deadline = time.monotonic() + OTHERS_PATIENCE
            yield Operation(self._node, progress, self._node.settings.current(), deadline)

    def _run(self, request: Request, progress: Progress) -> Answer:
        with journal.working_on(progress.op, request.name), trail.follow(progress.trail):
            try:
                if self._reconciler is not None and request.call not in IN_USE:
                    self._reconciler.claimed(request.name)
                answer = self._performed(request, progress)
                ended = self._node.trouble.over(_thing(request))
                timing = _timing(request, progress)
                _LOG.info("%s: Success after %s ms%s", request.call, timing["ms"], ended, extra=timing)
            except Fault as fault:
                answer = self._failed(request, progress, fault)
            except Exception as error:
                _LOG.exception("%s failed by a defect of the agent", request.call)
                look = f"see journalctl INSTORAGE_OP={progress.op}"
                sentence = f"The node agent failed ({type(error).__name__}): {look}."
                answer = failure(Fault(Code.INTERNAL, sentence), progress.op)
            return answer

    def _performed(self, request: Request, progress: Progress) -> Answer:
        deadline = time.monotonic() + PATIENCE.get(request.call, OTHERS_PATIENCE)
        settings = self._node.settings
        operation = Operation(self._node, progress, settings.current(), deadline)
        holder = f"{request.call} of {request.name} (request {progress.op})"
        with self._node.locks.held(request.name, holder, progress, deadline):
            answer = perform(operation, request)
        remarks = (answer.message, *progress.remarks, settings.remark)
        return Answer(answer.status, " ".join(filter(None, remarks)), answer.fields)

    def _failed(self, request: Request, progress: Progress, fault: Fault) -> Answer:
        """Say it, if it was not said lately, and answer; the answer names the request that says it.

        So kubelet, which makes one event of equal answers, counts it up and does not write another.
        """
        said = self._node.trouble.failed(_thing(request), fault, progress.op)
        timing = _timing(request, progress)
        if said.anew:
            _LOG.error(
                "%s failed after %s ms%s: %s", request.call, timing["ms"], said.times, fault,
                extra=journal.coded(fault) | timing,
            )  # fmt: skip
        remarks = (*progress.remarks, self._node.settings.remark)
        return failure(fault, said.op, " ".join(filter(None, remarks)))

    def _tell(self, request: Request, progress: Progress, answer: Answer) -> None:
        """Tell the reconciler what may be left: nothing, what no pod has yet, or what failed half-way."""
        if self._reconciler is None or request.call in IN_USE:
            return
        with journal.working_on(progress.op, request.name):
            self._tell_it(self._reconciler, request, progress, answer)

    def _tell_it(self, reconciler: Reconciler, request: Request, progress: Progress, answer: Answer) -> None:
        attach, done = self._attach_calls(), answer.status is Status.SUCCESS
        left = request.call in ("mountdevice", "mount") and progress.abandoned()
        if request.call in ("mount", "unmount") and attach and not done:
            reconciler.unclaimed(request.name)
        elif request.call == "waitforattach" or not done:
            reconciler.unfinished(request.name)
        elif left or (request.call == "unmount" and attach):
            reconciler.unclaimed(request.name)
        else:
            reconciler.finished(request.name)

    def _attach_calls(self) -> bool:
        """Say whether kubelet makes them; where that cannot be told it gets the time as if it did."""
        try:
            return self._node.paths.attach
        except Fault:
            return True


def _thing(request: Request) -> str:
    return f"{request.call} of {request.name}"


def _timing(request: Request, progress: Progress) -> dict[str, str]:
    """Return the journal's fields of how long a call took, in which phases, and with what."""
    took = round((time.monotonic() - progress.began) * 1000)
    phases = json.dumps(progress.spent())
    return {"call": request.call, "ms": str(took), "phases": phases, **progress.timeline()}


def perform(operation: Operation, request: Request) -> Answer:
    """Do what the request asks for; the volume's lock is held."""
    match request:
        case flexvolume.WaitForAttach(options):
            attached = waitforattach.attach(operation, options)
            return Answer(Status.SUCCESS, attached.remark, {"device": attached.device})
        case flexvolume.MountDevice(target, options):
            mountdevice.mount_device(operation, target, options)
        case flexvolume.Mount(pod, options):
            return Answer(Status.SUCCESS, mount.mount_pod(operation, pod, options))
        case flexvolume.Unmount(pod):
            mount.unmount_pod(operation, pod)
        case flexvolume.UnmountDevice(target):
            unmountdevice.unmount_device(operation, target)
        case flexvolume.ExpandFs():
            return Answer(Status.SUCCESS, fields={"volumeNewSize": expandfs.expand(operation, request)})
        case flexvolume.Detach():
            return Answer(Status.SUCCESS, detach.detach(operation, request))
    return Answer(Status.SUCCESS)
