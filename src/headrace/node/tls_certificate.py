"""The TLS context that shows one certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from headrace.config.certificate_files import load_pair
from headrace.config.server import Certificate, TlsOptions
from headrace.errors import HeadraceError
from headrace.http.server.ticket_keys import keep_no_sessions
from headrace.http.server.tls_context import PROTOCOLS, CertificateContext
from headrace.http.server.tls_socket import OP_ENABLE_KTLS
from headrace.node.tickets.installed import InstalledKeys

# For TLS 1.2: forward secrecy, and authenticated encryption only.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"


class CertificateError(HeadraceError):
    """A certificate or its key cannot be used."""


def certificate_names(certificate: x509.Certificate) -> frozenset[str]:
    """Return the DNS names and addresses of a certificate's subjectAltName (the subject's common
    name if it has none). Raises CertificateError for some that cannot be read: OpenSSL takes them.
    """
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateError(
            f"the names in a certificate (subjectAltName) cannot be read ({error}): have it issued "
            "for host names and addresses"
        ) from error
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


def context_of(
    certificate: Certificate, options: TlsOptions, tickets: InstalledKeys, client_ca: str
) -> CertificateContext:
    """Return the context of one certificate. Raises CertificateError with the file that is
    wrong.
    """
    context = CertificateContext(ssl.PROTOCOL_TLS_SERVER)
    fault = load_pair(context, certificate.cert, certificate.key)
    if fault is not None:
        raise CertificateError(str(fault))
    shown = _read(certificate.cert)
    try:
        context.names = certificate_names(shown)
    except CertificateError as error:
        raise CertificateError(f"{certificate.cert}: {error}") from error
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
    keep_no_sessions(context)
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
        tickets.give(context, shown.fingerprint(hashes.SHA256()))
    else:
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context
