"""TLS contexts for clients: certificates chosen by the name asked for, tickets, kernel TLS.

A reload builds a new context; connections that exist keep theirs.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from headrace.config import Config
from headrace.config.server import Certificate, TlsOptions
from headrace.edge.ticket_keys import install
from headrace.errors import HeadraceError
from headrace.http.tls_socket import OP_ENABLE_KTLS

PROTOCOLS = ["http/1.1"]


class CertificateError(HeadraceError):
    """A certificate or its key cannot be used."""


def server_context(config: Config, ticket_secret: bytes) -> ssl.SSLContext | None:
    """The context for all TLS listeners, or None when no certificate is configured.

    The first certificate serves clients that name no host or an unknown one. Raises
    CertificateError with the file that is wrong.
    """
    if not config.certificates:
        return None
    contexts = [
        _context(certificate, config.tls, ticket_secret) for certificate in config.certificates
    ]
    default = contexts[0]
    # The default itself stands as None: a context that holds itself would outlive every reload.
    names: dict[str, ssl.SSLContext | None] = {}
    for certificate, context in zip(config.certificates, contexts, strict=True):
        for name in certificate_names(certificate.cert):
            names.setdefault(name, None if context is default else context)

    def choose(sock: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None:
            context = context_for(names, name)
            if context is not None:
                sock.context = context

    default.sni_callback = choose
    return default


def context_for(names: dict[str, ssl.SSLContext | None], name: str) -> ssl.SSLContext | None:
    """The context for a host name: exact, or a wildcard for its leftmost label (RFC 9525)."""
    name = name.lower().rstrip(".")
    if name in names:
        return names[name]
    _label, dot, parent = name.partition(".")
    return names.get("*." + parent) if dot else None


def certificate_names(path: Path) -> list[str]:
    """The DNS names of a PEM certificate's subjectAltName (the subject's common name if none)."""
    try:
        certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise CertificateError(f"certificate {path}: {error}") from error
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return [str(attribute.value).lower() for attribute in common]
    names: Sequence[str] = extension.value.get_values_for_type(x509.DNSName)
    return [name.lower() for name in names]


def _context(certificate: Certificate, options: TlsOptions, ticket_secret: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    oldest = ssl.TLSVersion.TLSv1_3 if options.min_version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.minimum_version = oldest
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # All suites on offer are sound, so the client knows best: phones without AES instructions ask
    # for ChaCha20, browsers for AES-128, which costs a tenth less than OpenSSL's own first choice.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if options.kernel_tls:
        context.options |= OP_ENABLE_KTLS
    context.set_alpn_protocols(PROTOCOLS)
    if options.ciphers is not None:
        try:
            context.set_ciphers(options.ciphers)
        except ssl.SSLError as error:
            raise CertificateError(f"tls.ciphers: OpenSSL knows none of them: {error}") from error
    if options.session_tickets:
        context.num_tickets = 1
        if ticket_secret:
            install(context, ticket_secret)
    else:
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    try:
        context.load_cert_chain(certificate.cert, certificate.key)
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"certificate {certificate.cert} with key {certificate.key}: {error}"
        ) from error
    return context
