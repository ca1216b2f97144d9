"""Configurations to begin with, as `ext-sample-18000-cfg` and `ext-sample-13000-cfg` print them."""

from __future__ import annotations

_COMMON = """\
log:
  enabled: false
  logdir: /var/log/inspurlog
  level: info
  logrotatemaxsize: 0
host:
  link: iscsi
  forceUseMultipath: false
  scsiScanRetryTimes: 3
  scsiScanWaitInterval: 1
  iscsiPathCheckRetryTimes: 3
  iscsiPathCheckWaitInterval: 1
  multipathSearchRetryTimes: 3
  multipathSearchWaitInterval: 1
  multipathResizeDelay: 1
  attachExtendFileLockPath: ""
storage:
"""

SAMPLE_18000 = (
    _COMMON
    + """\
- name: storage-01
  type: AS18000
  host: 10.0.0.1:22
  username: username
  password: password
  # instead of password: what ext-encrypt-password prints
  shadow: ""
  barrierPath: ""
"""
)

SAMPLE_13000 = (
    _COMMON
    + """\
- name: storage-01
  type: AS13000
  host: 10.0.0.1:8080
  username: username
  password: password
  shadow: ""
  deviceUsername: username
  devicePassword: password
  deviceShadow: ""
  barrierPath: ""
"""
)
