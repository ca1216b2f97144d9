"""The encrypted password: the vendor's format, and clear words when it fails."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from instorage.configuration import shadow
from instorage.configuration.secret import Secret
from instorage.wire.fault import Fault

KEY = Secret("cipher key")


def test_a_shadow_made_elsewhere_after_the_vendors_recipe_is_opened() -> None:
    key = hashlib.md5(b"cipher key").hexdigest().encode()
    nonce = bytes(range(12))
    made = (nonce + AESGCM(key).encrypt(nonce, b"password", None)).hex()
    assert len(made) == len("8f0a8e9e9244e9d5a865e45b5cf43dd4a4c83b12f072f353257ac9e19aa433e2f8b54583")
    assert shadow.decrypt(made, KEY).reveal() == "password"
    assert shadow.decrypt(made.upper(), KEY).reveal() == "password"


@given(plain=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_what_was_encrypted_is_opened_with_the_same_key_only(plain: str) -> None:
    made = shadow.encrypt(plain, KEY)
    assert shadow.decrypt(made, KEY).reveal() == plain
    assert shadow.encrypt(plain, KEY) != made, "the nonce is new each time"
    with pytest.raises(Fault, match="another cipher key"):
        shadow.decrypt(made, Secret("other key"))


@given(text=st.text(max_size=100) | st.binary(max_size=60).map(bytes.hex))
def test_anything_else_is_a_fault(text: str) -> None:
    with pytest.raises(Fault, match="ext-encrypt-password"):
        shadow.decrypt(text, KEY)
