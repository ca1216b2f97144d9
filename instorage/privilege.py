"""Going on as another user: what root reads first is used by somebody who can do no harm with the network."""

from __future__ import annotations

import os
import pwd


def leave_root(user: str) -> None:
    """Become `user` for good; nothing happens to who is not root, or where there is no such user."""
    if os.geteuid() != 0:
        return
    try:
        found = pwd.getpwnam(user)
    except KeyError:  # the part that it belongs to is not installed here
        return
    os.initgroups(found.pw_name, found.pw_gid)
    os.setgid(found.pw_gid)
    os.setuid(found.pw_uid)
