"""How much is run: a choice for every day, or everything (`make soak`)."""

from __future__ import annotations

import os

WHOLE = bool(os.environ.get("SOAK"))
