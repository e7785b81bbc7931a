"""What servers of a lab serve by TLS with: an authority, a certificate for all of them, a secret
for session tickets. Nobody else has them, and they end with the lab.
"""

from __future__ import annotations

import datetime
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from headrace.config.ticket_secrets import ALWAYS, TicketSecret, text_of
from headrace.lab.network.configuration import (
    HOST,
    ZONE,
    authority_file,
    certificate_file,
    key_file,
    ticket_file,
)
from headrace.lab.network.plan import LabPlan

_LASTS = datetime.timedelta(days=30)
_BEFORE = datetime.timedelta(days=1)


def write_certificates(plan: LabPlan) -> None:
    """Write all of it. Raises OSError."""
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"the lab {plan.name}")])
    key_usage = x509.KeyUsage(*(place in (5, 6) for place in range(9)))
    root = (
        _begun(name, name, authority.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage, critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False
        )
        .sign(authority, hashes.SHA256())
    )
    names = [x509.DNSName(HOST), x509.DNSName(f"*.{ZONE}")]
    served = (
        _begun(x509.Name([]), name, own.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),
            critical=False,
        )
        .sign(authority, hashes.SHA256())
    )
    authority_file(plan).write_bytes(root.public_bytes(Encoding.PEM))
    certificate_file(plan).write_bytes(served.public_bytes(Encoding.PEM))
    tickets = TicketSecret(ALWAYS, secrets.token_hex(32).encode())
    _write_secret(
        key_file(plan),
        own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    _write_secret(ticket_file(plan), text_of([tickets]))


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _LASTS)
    )


def _write_secret(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
