"""Where each frozen file system has its record, a file of its UID: the mount target, and who guards it."""

RECORDS = "/run/instorage/frozen"
