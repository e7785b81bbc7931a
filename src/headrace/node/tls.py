"""TLS contexts for clients: certificates chosen by the name asked for, tickets, kernel TLS.

A reload builds a new context; connections that exist keep theirs.

What must hold: a session is resumed only under the certificate that its client was shown. Each
certificate has a context and ticket keys of its own, and a connection begins with its context.
"""

from __future__ import annotations

import ssl

from headrace.config.node import NodeConfig
from headrace.http.server.tls_context import CertificateContext
from headrace.node.tickets.installed import InstalledKeys


def server_contexts(
    config: NodeConfig, tickets: InstalledKeys
) -> dict[str, CertificateContext | None]:
    """Return the contexts for TLS listeners, by the file of their clients' authorities ("": clients
    need no certificate). Raises CertificateError with the file that is wrong.
    """
    wanted = {"" if one.client_ca is None else str(one.client_ca) for one in config.listeners}
    return {
        authorities: server_context(config, tickets, authorities) for authorities in wanted | {""}
    }


def server_context(
    config: NodeConfig, tickets: InstalledKeys, client_ca: str = ""
) -> CertificateContext | None:
    """Return the context for TLS listeners, or None when no certificate is configured.

    The first certificate serves clients that name no host or an unknown one. Raises
    CertificateError with the file that is wrong.
    """
    if not config.certificates:
        return None
    # Where nothing is shown, no worker needs what reads certificates: a tenth of its start.
    from headrace.node.tls_certificate import context_of

    contexts = [
        context_of(certificate, config.tls, tickets, client_ca)
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


def _choose_late(sock: object, name: str | None, default: ssl.SSLContext) -> int | None:
    """OpenSSL's call while it shakes hands with the default context.

    Only where the kernel encrypts is the context chosen here. Elsewhere it was chosen before: if
    the name that OpenSSL finds leads to another one, the client's hello was made to be read in
    two ways.
    """
    assert isinstance(default, CertificateContext)
    context = default.context_for(name)
    if context is default:
        return None
    if not isinstance(sock, ssl.SSLSocket):
        return ssl.ALERT_DESCRIPTION_ILLEGAL_PARAMETER
    sock.context = context
    return None
