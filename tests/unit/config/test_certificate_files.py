"""What is wrong with certificates is said by file, in words, with a remedy."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from headrace.config.certificate_files import load_pair
from tests.harness.certificates import Authority, Pair


def told(pair: Pair) -> str:
    return str(load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pair.cert, pair.key) or "")


def encrypt(path: Path) -> None:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def test_a_good_pair_is_loaded(tmp_path: Path) -> None:
    assert told(Authority(tmp_path).issue("a.test")) == ""


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda pair: pair.cert.unlink(), "a.pem cannot be read: No such file or directory: name"),
        (lambda pair: pair.key.unlink(), "a.key cannot be read: No such file or directory: name"),
        (lambda pair: pair.cert.write_text("x"), "a.pem does not begin with a certificate in PEM:"),
        (lambda pair: pair.cert.write_text(""), "a.pem does not begin with a certificate in PEM:"),
        (lambda pair: pair.cert.write_bytes(pair.key.read_bytes()), "a.pem does not begin with"),
        (
            lambda pair: pair.key.write_bytes(pair.cert.read_bytes()),
            "a.key does not hold",
        ),
        (lambda pair: pair.key.write_bytes(pair.key.read_bytes()[:80]), "a.key does not hold"),
        (lambda pair: encrypt(pair.key), "a.key is encrypted: decrypt it with"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, spoil: Callable[[Pair], object], message: str) -> None:
    pair = Authority(tmp_path).issue("a.test", file_name="a")
    spoil(pair)
    assert message in told(pair)


def test_a_pair_that_does_not_fit_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("a.test", file_name="a"), authority.issue("b.test", file_name="b")
    found = told(Pair(one.cert, other.key))
    assert f"{other.key} is not the key of the certificate in {one.cert}: name the key" in found
