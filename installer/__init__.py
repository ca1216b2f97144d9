"""Installs, upgrades, checks and removes InStorage on a host; `packaging/install.sh` starts it.

A version lies in a directory of its own, and one link says which is in force. Every file comes by a rename,
and what was in its place is kept in `.before` until the new version has answered: so a run that fails goes
back, and one that was killed is finished by the next. Services are restarted, sockets never: calls of kubelet
wait in them. Only the standard library is imported: either part's Python may run this.
"""
