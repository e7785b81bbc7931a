"""Contexts of a configuration that is gone are gone with it."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from cryptography import x509

from headrace.config.edge import EDGE
from headrace.config.loader import validate_document
from headrace.config.server import Certificate, TlsOptions
from headrace.node.tickets.installed import InstalledKeys
from headrace.node.tls import server_context
from headrace.node.tls_certificate import CertificateError, context_of
from tests.harness.certificates import Authority


def test_contexts_do_not_wait_for_the_collector_of_cycles(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pairs = [authority.issue(f"{name}.test", file_name=name) for name in "ab"]
    document = {
        "cache_dir": str(tmp_path),
        "listen": [{"address": "127.0.0.1:1", "tls": True}],
        "certificate": [{"cert": str(pair.cert), "key": str(pair.key)} for pair in pairs],
        "service": [{"name": "a", "hosts": ["*"], "origins": ["http://127.0.0.1:9"]}],
    }
    config = validate_document(document, EDGE, lambda _path: "test", base=tmp_path)
    tickets = InstalledKeys()
    tickets.take([b"s" * 32, b"t" * 32])
    gc.disable()
    try:
        context = server_context(config, tickets)
        assert context is not None
        held = weakref.ref(context)
        del context
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("names", ["30058703010203", "3004a3023000"], ids=["address", "type"])
def test_names_that_cannot_be_read_refuse_the_certificate_by_its_file(
    tmp_path: Path, names: str
) -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex(names))
    pair = Authority(tmp_path).issue("a.test", instead_of_names=extension)
    certificate = Certificate(cert=pair.cert, key=pair.key)
    with pytest.raises(CertificateError, match=r"a.test.pem: the names in a certificate"):
        context_of(certificate, TlsOptions(), InstalledKeys(), "")
