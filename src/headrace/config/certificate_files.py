"""What is wrong with a certificate's files, in words, and what to do: OpenSSL names neither."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with which file, and the remedy."""

    message: str
    remedy: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"{self.message}: {self.remedy}"


def load_pair(context: ssl.SSLContext, cert: Path, key: Path) -> Fault | None:
    """Have the context show this certificate; return why it cannot, None if it does."""
    try:
        # Without a password, OpenSSL would ask for an encrypted key's at the terminal.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        return fault_of(cert, key) or Fault(
            f"OpenSSL refuses the certificate {cert} with the key {key} ({error})",
            "make them again, or ask whoever issued the certificate",
        )
    return None


def fault_of(cert: Path, key: Path) -> Fault | None:
    """Return what can be found to be wrong with a pair of files."""
    texts: list[bytes] = []
    for path in (cert, key):
        try:
            texts.append(path.read_bytes())
        except OSError as error:
            return Fault(
                f"{path} cannot be read: {error.strerror or error}",
                "name a file that the user who runs headrace can read",
            )
    certificate = _first_certificate(texts[0])
    if certificate is None:
        return Fault(
            f"{cert} does not begin with a certificate in PEM",
            "name the file with the certificate, and its intermediates behind it",
        )
    private = _private_key(key, texts[1])
    if isinstance(private, Fault):
        return private
    if _public_bytes(private) != certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    ):
        return Fault(
            f"{key} is not the key of the certificate in {cert}",
            "name the key that the certificate was issued for; a renewal may replace both",
        )
    return None


def _first_certificate(text: bytes) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificates(text)[0]
    except ValueError:
        return None


def _private_key(path: Path, text: bytes) -> PrivateKeyTypes | Fault:
    try:
        return serialization.load_pem_private_key(text, password=None)
    except TypeError:
        return Fault(
            f"the key in {path} is encrypted",
            "decrypt it with `openssl pkey -in FILE -out NEW_FILE`, and guard it by its file mode",
        )
    except (ValueError, UnsupportedAlgorithm):
        return Fault(
            f"{path} does not hold a private key in PEM",
            "name the file with the certificate's private key",
        )


def _public_bytes(private: PrivateKeyTypes) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
