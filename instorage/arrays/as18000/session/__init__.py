"""A session with an AS18000: SSH, login, commands and their answers; it knows no volume."""

import sys

# With it paramiko serves `Match exec` of an ssh_config, which nobody here reads: 4 MiB, and 50 ms of CPU to
# import it. None says that there is no such module; paramiko does without.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
