"""Responses that vary (RFC 9111 section 4.1), with Accept-Encoding brought into few forms."""

from __future__ import annotations

import pytest

from tests.harness.edge import Edge
from tests.harness.origin import Origin
from tests.harness.replies import Recorded, Reply, headers
from tests.integration.edge.conftest import Starter


def by_encoding(request: Recorded) -> Reply:
    """gzip for those who take it, with Vary; strong tags of their own."""
    accepted = request.header("accept-encoding") or ""
    if "gzip" in accepted:
        fields = headers(
            cache_control="max-age=60", vary="Accept-Encoding", content_encoding="gzip",
            etag='"gzip"',
        )  # fmt: skip
        return Reply(headers=fields, body=b"gzipped")
    fields = headers(cache_control="max-age=60", vary="Accept-Encoding", etag='"plain"')
    return Reply(headers=fields, body=b"plain")


def by_language(request: Recorded) -> Reply:
    language = request.header("accept-language") or "none"
    fields = headers(cache_control="max-age=60", vary="Accept-Language", etag=f'"{language}"')
    return Reply(headers=fields, body=language.encode())


@pytest.mark.parametrize(
    "spelling",
    [
        "gzip",
        "gzip, deflate",
        "GZIP",
        "gzip;q=1.0, *;q=0.1",
        "deflate, gzip",
        "x-other, gzip;q=0.5",
    ],
)
def test_clients_that_take_gzip_share_one_response(
    edge: Edge, origin: Origin, path: str, spelling: str
) -> None:
    origin.serve(path, by_encoding)
    edge.get(path, ("Accept-Encoding", "gzip"))
    found = edge.get(path, ("Accept-Encoding", spelling))
    assert (found.body, found.header("content-encoding"), origin.count(path)) == (
        b"gzipped", "gzip", 1,
    )  # fmt: skip


@pytest.mark.parametrize("spelling", ["identity", "deflate", "gzip;q=0", ""])
def test_clients_that_do_not_take_gzip_never_get_it(
    edge: Edge, origin: Origin, path: str, spelling: str
) -> None:
    origin.serve(path, by_encoding)
    edge.get(path, ("Accept-Encoding", "gzip"))
    assert edge.get(path, ("Accept-Encoding", spelling)).body == b"plain"
    assert edge.get(path).body == b"plain"


def test_variants_are_stored_beside_each_other(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, by_language)
    for _ in range(2):
        for language in ("de", "fr", "it"):
            assert edge.get(path, ("Accept-Language", language)).body == language.encode()
    assert origin.count(path) == 3


def test_a_request_without_the_field_has_a_variant_of_its_own(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, by_language)
    edge.get(path, ("Accept-Language", "de"))
    assert edge.get(path).body == b"none"


def test_a_condition_is_judged_by_the_variant_asked_for(
    edge: Edge, origin: Origin, path: str
) -> None:
    origin.serve(path, by_language)
    for language in ("de", "fr"):
        edge.get(path, ("Accept-Language", language))
    found = edge.get(path, ("Accept-Language", "fr"), ("If-None-Match", '"de"'))
    assert (found.status, found.body) == (200, b"fr")


def test_a_purge_takes_every_variant(edge: Edge, origin: Origin, path: str) -> None:
    origin.serve(path, by_language)
    for language in ("de", "fr"):
        edge.get(path, ("Accept-Language", language))
    edge.purge(url=edge.url(path))
    for language in ("de", "fr"):
        edge.get(path, ("Accept-Language", language))
    assert origin.count(path) == 4


def test_a_response_that_begins_to_vary_is_never_served_to_the_wrong_client(
    edge: Edge, origin: Origin, path: str
) -> None:
    plain = Reply(headers=headers(cache_control="max-age=60", age="100"), body=b"for all")
    origin.serve(path, plain)
    edge.get(path)
    origin.serve(path, by_language)
    assert edge.get(path, ("Accept-Language", "de")).body == b"de"
    assert edge.get(path, ("Accept-Language", "fr")).body == b"fr"


def test_a_service_with_languages_stores_no_more_than_these(
    edges: Starter, origin: Origin, path: str
) -> None:
    edge = edges({"service": {"cache": {"languages": ["en", "de"]}}})
    origin.serve(path, by_language)
    spellings = {
        "de": ("de", "de-AT,de;q=0.9", "fr, DE;q=0.5", "*;q=0.1, de"),
        "en": ("en-GB", "en, de;q=0.9", "*"),
        "none": ("fr", "de;q=0", ""),
    }
    for language, values in spellings.items():
        for value in values:
            found = edge.get(path, ("Accept-Language", value))
            assert found.body == language.encode(), value
    assert origin.count(path) == 3
