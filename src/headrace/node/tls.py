"""TLS contexts for clients: certificates chosen by the name asked for, tickets, kernel TLS.

A reload builds a new context; connections that exist keep theirs.

What must hold: a session is resumed only under the certificate that its client was shown. Each
certificate has a context and ticket keys of its own, and a connection begins with its context.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from headrace.config.certificate_files import load_pair
from headrace.config.node import NodeConfig
from headrace.config.server import Certificate, TlsOptions
from headrace.errors import HeadraceError
from headrace.http.server.tls_context import PROTOCOLS, CertificateContext
from headrace.http.server.tls_socket import OP_ENABLE_KTLS
from headrace.node.ticket_keys import install, secret_for

# For TLS 1.2: forward secrecy, and authenticated encryption only.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"


class CertificateError(HeadraceError):
    """A certificate or its key cannot be used."""


def server_contexts(
    config: NodeConfig, ticket_secret: bytes
) -> dict[str, CertificateContext | None]:
    """Return the contexts for TLS listeners, by the file of their clients' authorities ("": clients
    need no certificate). Raises CertificateError with the file that is wrong.
    """
    wanted = {"" if one.client_ca is None else str(one.client_ca) for one in config.listeners}
    return {
        authorities: server_context(config, ticket_secret, authorities)
        for authorities in wanted | {""}
    }


def server_context(
    config: NodeConfig, ticket_secret: bytes, client_ca: str = ""
) -> CertificateContext | None:
    """Return the context for TLS listeners, or None when no certificate is configured.

    The first certificate serves clients that name no host or an unknown one. Raises
    CertificateError with the file that is wrong.
    """
    if not config.certificates:
        return None
    contexts = [
        _context(certificate, config.tls, ticket_secret, client_ca)
        for certificate in config.certificates
    ]
    default = contexts[0]
    others: dict[str, CertificateContext] = {}
    for context in contexts[1:]:
        for name in context.names - default.names:
            others.setdefault(name, context)
    default.others = others
    default.sni_callback = _choose_late
    return default


def _choose_late(
    sock: ssl.SSLObject | ssl.SSLSocket, name: str | None, default: ssl.SSLContext
) -> int | None:
    """OpenSSL's call while it shakes hands with the default context.

    Only where the kernel encrypts is the context chosen here. Elsewhere it was chosen before: if
    the name that OpenSSL finds leads to another one, the client's hello was made to be read in
    two ways.
    """
    assert isinstance(default, CertificateContext)
    context = default.context_for(name)
    if context is default:
        return None
    if isinstance(sock, ssl.SSLObject):
        return ssl.ALERT_DESCRIPTION_ILLEGAL_PARAMETER
    sock.context = context
    return None


def certificate_names(certificate: x509.Certificate) -> frozenset[str]:
    """Return the DNS names and addresses of a certificate's subjectAltName (the subject's common
    name if it has none).
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return frozenset(str(attribute.value).lower() for attribute in common)
    names: list[str] = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return frozenset(name.lower() for name in names) | frozenset(map(str, addresses))


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError) as error:
        raise CertificateError(
            f"{path} changed while it was read ({error}): replace files by renaming new ones"
        ) from error


def _ask_for_certificates(context: CertificateContext, client_ca: str) -> None:
    """Let no client in that shows no certificate of these authorities, each time it connects.

    TLS 1.3 without tickets: a resumed session would outlive its certificate.
    """
    try:
        context.load_verify_locations(cafile=client_ca)
    except (OSError, ssl.SSLError) as error:
        raise CertificateError(
            f"{client_ca} (client_ca) is no PEM file of authorities: {error}"
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET


def _context(
    certificate: Certificate, options: TlsOptions, ticket_secret: bytes, client_ca: str
) -> CertificateContext:
    context = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    fault = load_pair(context, certificate.cert, certificate.key)
    if fault is not None:
        raise CertificateError(str(fault))
    shown = _read(certificate.cert)
    context.names = certificate_names(shown)
    context.checks_hosts = options.refuse_uncovered_hosts
    oldest = ssl.TLSVersion.TLSv1_3 if options.min_version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.minimum_version = oldest
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # All suites on offer are sound, so the client knows best: phones without AES instructions ask
    # for ChaCha20, browsers for AES-128, which costs a tenth less than OpenSSL's own first choice.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if options.kernel_tls:
        context.options |= OP_ENABLE_KTLS
    context.set_alpn_protocols(list(PROTOCOLS))
    try:
        context.set_ciphers(CIPHERS if options.ciphers is None else options.ciphers)
    except ssl.SSLError as error:
        raise CertificateError(
            f"tls.ciphers: OpenSSL knows none of {options.ciphers!r}: leave the setting out, or "
            "name some that `openssl ciphers -v` lists"
        ) from error
    if client_ca:
        _ask_for_certificates(context, client_ca)
    elif options.session_tickets:
        context.num_tickets = 1
        if ticket_secret:
            install(context, secret_for(ticket_secret, shown.fingerprint(hashes.SHA256())))
    else:
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context
