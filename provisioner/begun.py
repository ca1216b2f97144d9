"""What was begun for a claim and is not finished: where, and whether the volume is proven to be ours."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from instorage.wire.fault import Code, Fault

if TYPE_CHECKING:
    from provisioner.arrays import Arrays
    from provisioner.claims import Wanted
    from provisioner.cluster import Object
    from provisioner.whereabouts import Whereabouts

LATE = 60.0  # seconds after which a command whose answer was lost is not carried out any more


class Begun:
    """One worker at a time has it. `array`: where, whatever the class says by now.

    `uid` is that of the volume once it is known; `sent`: when (monotonic) a command was sent whose outcome is
    unknown.
    """

    def __init__(self, wanted: Wanted, array: str, *, ours: bool | None = None) -> None:
        self.wanted = wanted
        self.array = array
        self.uid = ""
        self.sent: float | None = None
        self._ours = ours
        self._over = False

    @property
    def ours(self) -> bool | None:
        """None while no command was sent; whether the volume is proven to be made for this claim.

        True when the array said that it had no volume of that name directly before it was told to make it;
        False when it had one. A name is no proof: another life of this cluster, or an administrator, may have
        made it. Nor is what was proven before another provisioner led, or may have: it may have given the
        volume to the claim, data was written, and the volume kept on purpose.
        """
        return self._ours and not self._over

    @ours.setter
    def ours(self, proven: bool | None) -> None:
        self._ours = proven

    def outlive(self) -> None:
        """Let nothing be proven of it any more, whatever a worker that is still at it may find."""
        self._over = True

    @property
    def may_come(self) -> bool:
        """Say whether a command whose answer was lost may still make the volume."""
        return self.sent is not None and time.monotonic() - self.sent < LATE


class Undertakings:
    """Thread-safe. Kept in memory alone: after a restart nothing is proven, and the arrays are asked."""

    def __init__(self, arrays: Arrays, places: Whereabouts) -> None:
        self._arrays = arrays
        self._places = places
        self._guard = threading.Lock()
        self._begun: dict[str, Begun] = {}

    def get(self, claim: str) -> Begun | None:
        """Return what was begun for the claim of this UID."""
        with self._guard:
            return self._begun.get(claim)

    def claims(self) -> tuple[str, ...]:
        """Return the UIDs of the claims for which something was begun."""
        with self._guard:
            return tuple(self._begun)

    def outlive(self) -> None:
        """Keep what may be on an array, and let nothing be proven of it: another one may have led since.

        Also of what a worker is still at. Where no command was sent, `begin` begins anew.
        """
        with self._guard:
            for begun in self._begun.values():
                begun.outlive()

    def begin(self, wanted: Wanted) -> Begun:
        """Decide on which array the volume is made, or goes on; `Fault` while that cannot be known."""
        target = self._arrays.get(wanted.kind.storage_name).name
        begun = self._found(wanted, target) or self.get(wanted.uid)
        if begun is None or begun.ours is None:
            begun = Begun(wanted, target)
        elif begun.array != target:
            begun = self._elsewhere(begun, target)
        begun.wanted = wanted
        with self._guard:
            self._begun[wanted.uid] = begun
        self._places.sure(wanted.uid)
        return begun

    def finished(self, claim: str, *, made: bool = False) -> None:
        """Forget it. `made`: should the claim come to be unbound again, its volume is somewhere."""
        with self._guard:
            self._begun.pop(claim, None)
        if made:
            self._places.unsure(claim)

    def seen(self, claim: Object, *, gone: bool, early: bool) -> None:
        """Note that a claim is gone, or that it was there before this process began to work (`early`)."""
        if gone:
            self._places.sure(claim["metadata"]["uid"])
        elif early and not claim["spec"].get("volumeName"):
            self._places.unsure(claim["metadata"]["uid"])

    def _found(self, wanted: Wanted, target: str) -> Begun | None:
        """Look for what somebody else began, if that may be."""
        if not self._places.is_unsure(wanted.uid):
            return None
        array = self._places.look(wanted.spec.name, target)
        begun = self.get(wanted.uid)
        if array is None or (begun is not None and begun.array == array.name):
            return begun
        return Begun(wanted, array.name, ours=False)

    def _elsewhere(self, begun: Begun, target: str) -> Begun:
        """Stay on the array where it was begun, unless that array has no volume and will have none."""
        if self._places.on(begun.array, begun.wanted.spec.name) is not None:
            return begun
        if begun.may_come:
            raise Fault(
                Code.VOLUME_NOT_READY,
                f"Volume {begun.wanted.spec.name} was begun on array {begun.array}, whose answer was lost; "
                f"it is made on {target} when it is sure that it does not come there any more.",
                volume=begun.wanted.spec.name,
            )
        return Begun(begun.wanted, target)
