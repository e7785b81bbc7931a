"""The fields that an origin is asked with on behalf of all who share the answer. Pure."""

from __future__ import annotations

from headrace.cache.storing import credentials_may_fill
from headrace.edge.fill.asked import FillRequest
from headrace.edge.service.forwarded_fields import shared_request_fields
from headrace.http.message import Field, Headers


def origin_fields(asked: FillRequest, node_id: str, cdn_name: str) -> list[Field]:
    """Return the fields, without those that name the slices.

    What completes a stored response is shared as that is: it is asked for with a client's
    credentials only if that response says that they do not matter.
    """
    resource = asked.resource
    fields = shared_request_fields(
        resource.service,
        resource.rules,
        asked.request,
        asked.variant,
        asked.client_address,
        node_id,
        cdn_name,
    )
    stored = asked.slices.stored
    if (
        stored is not None
        and not asked.slices.validate
        and not credentials_may_fill(Headers(stored.headers), resource.rules)
    ):
        fields = [field for field in fields if field[0] != b"authorization"]
    return fields


def has_credentials(fields: list[Field]) -> bool:
    """Return whether the fields have a client's credentials."""
    return b"authorization" in [name for name, _value in fields]
