"""A shadow of a vendor's build without a cipher key: the configuration works as it is, and it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instorage.configuration import shadow
from instorage.configuration.secret import Secret
from instorage.configuration.settings import load
from tests.configuration.conftest import SMALL, written

if TYPE_CHECKING:
    from pathlib import Path


def test_a_shadow_of_the_vendors_empty_key_is_opened_with_a_warning_whatever_key_is_here(
    file: Path, tmp_path: Path
) -> None:
    made = shadow.encrypt("passw0rd-of-the-array", Secret(""))
    key = tmp_path / "shadow.key"
    for content in (None, "a key of this host"):
        if content:
            key.write_text(content)
        found = load(written(file, SMALL.replace("password: marker-8d1f", f"shadow: {made}")), key_file=key)
        assert found.storage[0].password.reveal() == "passw0rd-of-the-array"
        (warning,) = found.warnings
        assert "anybody can open it" in warning
        assert "make a new one" in warning
        assert "passw0rd-of-the-array" not in warning
