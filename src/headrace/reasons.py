"""Why something happened, in one list: the words of Cache-Status, metrics and the log.

A new reason is one line here; `python -m headrace.telemetry.reasons_page` writes the page about
them. A member is the word as bytes, for a header field; `word` is the same as text. Lookups of
members are slow: give those that the path of a request needs a name in their module.
"""

from __future__ import annotations

import enum


class Area(enum.Enum):
    """What a reason is about; the value is the heading on the page."""

    STORING = "Why a response was not stored"
    POSTING = "Why an answer to POST was not stored"
    REUSE = "Why a stored response was not simply sent"
    WAITING = "Why a request did not get what another's fill brought"
    ORIGIN = "What failed at an origin"
    RETRY = "Why an origin was not asked again"
    STORE = "What failed in the store"
    CUT = "Why a response was cut"
    REFUSED = "Why a connection was refused"
    TIMEOUT = "What a client was waited for in vain"
    TLS = "Why a TLS connection was ended"
    PEER = "Why a request was not taken for another server's"
    ROUTING = "How the sites for a client were found"


_STORING, _POSTING, _REUSE, _WAITING = Area.STORING, Area.POSTING, Area.REUSE, Area.WAITING
_ORIGIN, _RETRY, _STORE = Area.ORIGIN, Area.RETRY, Area.STORE
_CUT, _REFUSED, _TIMEOUT, _TLS = Area.CUT, Area.REFUSED, Area.TIMEOUT, Area.TLS
_PEER = Area.PEER
_ROUTING = Area.ROUTING


@enum.unique
class Reason(bytes, enum.Enum):
    """A word, its area and its meaning. No word has two meanings in one place where it is seen."""

    area: Area
    word: str
    meaning: str

    def __new__(cls, word: str, area: Area, meaning: str) -> Reason:
        member = bytes.__new__(cls, word.encode("ascii"))
        member._value_ = (area, word)
        member.area = area
        member.word = word
        member.meaning = meaning
        return member

    def __repr__(self) -> str:
        """Return the member's name: the one of bytes cannot show the value, which is a pair."""
        return f"Reason.{self.name}"

    # fmt: off
    NONE = ("", _STORING, "")  # false, unlike all others

    METHOD = ("method", _STORING, "Only GET and HEAD are answered from the store.")
    STATUS = ("status", _STORING,
              "This status is not stored, or only when `cache.negative` lists it.")
    CDN_LOOP = ("cdn-loop", _STORING,
                "It is an error, and the request's `CDN-Loop` names others: that may be why.")
    NO_STORE = ("no-store", _STORING, "The response says `no-store`.")
    PRIVATE = ("private", _STORING, "The response says `private`.")
    MUST_UNDERSTAND = ("must-understand", _STORING,
                       "The response says `must-understand`, and its status is unknown here.")
    REQUEST_NO_STORE = ("request-no-store", _STORING, "The request says `no-store`.")
    NOT_OWNED = ("not-owned", _STORING,
                 "Another server of the site holds it: `store` of its content class.")
    MEDIA_TYPE = ("media-type", _STORING, "`cache.media_types` does not list its Content-Type.")
    AUTHORIZATION = ("authorization", _STORING,
                     "The request has credentials, and the response does not say that it is for "
                     "all; or a challenge is stored, and the request answers it.")
    SET_COOKIE = ("set-cookie", _STORING,
                  "The response sets a cookie, and `cache.store_set_cookie` is off.")
    COOKIE = ("cookie", _STORING,
              "The request has a cookie that goes past the cache; or any cookie, and the response "
              "does not state a lifetime.")
    VARY_STAR = ("vary-star", _STORING, "The response varies by everything (`Vary: *`).")
    VARY_LONG = ("vary-long", _STORING, "The response varies by more than 32 fields.")
    NO_LIFETIME = ("no-lifetime", _STORING,
                   "The response states no lifetime, and `cache.default_lifetime` gives none.")
    STALE_AT_BIRTH = ("stale-at-birth", _STORING,
                      "It could never be served: its lifetime was over when it came.")
    TOO_LARGE = ("too-large", _STORING, "The body is larger than `cache.max_object`.")
    HEAD = ("head", _STORING, "The answer to HEAD has no body to store.")
    RANGE = ("range", _STORING, "The range asked for cannot be fetched in slices.")
    UNUSABLE_RANGE = ("unusable_range", _STORING,
                      "The origin sent another range than was asked for, or not its place.")
    UNCACHEABLE = ("uncacheable", _STORING,
                   "Another worker has just found so; its own log line says why.")
    REQUEST = ("request", _STORING, "The request has a body, or caching is off for it.")

    VARY = ("vary", _POSTING, "It varies by more than Accept-Encoding.")
    CONTENT_LOCATION = ("content-location", _POSTING,
                        "Content-Location does not say that it is the resource itself.")
    PERSONAL = ("personal", _POSTING, "The request has credentials or cookies.")
    HOST = ("host", _POSTING, "The request's host or scheme is not in the key.")
    QUERY = ("query", _POSTING, "A part of the POST's query is not in the key.")
    CODING = ("coding", _POSTING, "It is encoded, or only a part.")

    NO_CACHE = ("no-cache", _REUSE, "What is stored must be validated each time.")
    REQUEST_NO_CACHE = ("request-no-cache", _REUSE, "The request says `no-cache`.")
    REQUEST_MAX_AGE = ("request-max-age", _REUSE, "It is older than the request's `max-age`.")
    REQUEST_MIN_FRESH = ("request-min-fresh", _REUSE,
                         "It stays fresh for less than the request's `min-fresh`.")
    ONLY_IF_CACHED = ("only-if-cached", _REUSE,
                      "The request wants what is stored, and nothing usable is.")
    STALE = ("stale", _REUSE, "Its lifetime is over.")
    INVALIDATED = ("invalidated", _REUSE, "A soft purge or a change at the origin made it stale.")
    MAX_STALE = ("max-stale", _REUSE, "It is stale, and the request's `max-stale` allows that.")
    STALE_WHILE_REVALIDATE = ("stale-while-revalidate", _REUSE,
                              "It is stale, and served while it is renewed.")

    LOCK_WAIT = ("lock_wait", _WAITING, "The fill's head took longer than `timeouts.lock_wait`.")
    CONTENDED = ("contended", _WAITING, "What was stored changed at every try.")
    PURGED = ("purged", _WAITING, "What the fill brought was purged before this request came.")
    TOO_MANY_REQUESTS = ("too_many_requests", _WAITING,
                         "`limits.origin_requests_per_address` is reached for the client's "
                         "network.")
    ABANDONED = ("abandoned", _WAITING, "No request waited for the fill any more.")
    FILL_FAILED = ("fill_failed", _WAITING, "The fill failed in another worker.")

    DNS = ("dns", _ORIGIN, "Its name was not resolved.")
    CONNECT_REFUSED = ("connect_refused", _ORIGIN, "It refused the connection.")
    CONNECT_TIMEOUT = ("connect_timeout", _ORIGIN, "No connection in `timeouts.origin_connect`.")
    TLS = ("tls", _ORIGIN, "The TLS handshake failed; its certificate may not be valid.")
    SEND = ("send", _ORIGIN, "The request could not be sent whole.")
    FIRST_BYTE_TIMEOUT = ("first_byte_timeout", _ORIGIN,
                          "No response head in `timeouts.origin_first_byte`.")
    RESET_BEFORE_HEAD = ("reset_before_head", _ORIGIN, "It closed before the response head's end.")
    INVALID_RESPONSE = ("invalid_response", _ORIGIN, "The response head is not valid HTTP/1.1.")
    RESET_IN_BODY = ("reset_in_body", _ORIGIN, "The connection broke in the body.")
    SHORT_BODY = ("short_body", _ORIGIN, "The body ended early.")
    LONG_BODY = ("long_body", _ORIGIN, "The body is longer than the response head says.")
    BETWEEN_BYTES_TIMEOUT = ("between_bytes_timeout", _ORIGIN, "The body stalled.")
    TOO_SLOW = ("too_slow", _ORIGIN,
                "The body came more slowly than the retry policy's `min_rate`.")
    BAD_CHUNKS = ("bad_chunks", _ORIGIN, "The chunked body is malformed.")
    ANOTHER_BODY = ("another_body", _ORIGIN, "What was to continue a body is a different one.")
    NOT_SIGNED = ("not_signed", _ORIGIN, "Nothing was sent: such a request is not signed.")
    ORIGIN_FAILED = ("origin_failed", _ORIGIN, "No origin gave what the response needs.")
    REPRESENTATION_LOST = ("representation_lost", _ORIGIN,
                           "The origin has another representation than the one being sent.")

    NO_ORIGIN_FREE = ("no_origin_free", _RETRY, "No origin is left to ask, or all are down.")
    RETRY_BUDGET_SPENT = ("retry_budget_spent", _RETRY, "The pool's retry budget is spent.")
    NOT_RETRIED = ("not_retried", _RETRY, "The retry policy does not list the failure.")
    NOT_REPEATABLE = ("not_repeatable", _RETRY, "The request must not be sent twice.")
    TRIES_SPENT = ("tries_spent", _RETRY, "The retry policy's `tries` are made.")
    TIME_SPENT = ("time_spent", _RETRY, "The retry policy's `total` is over.")
    NO_ORIGIN_HAS_IT = ("no_origin_has_it", _RETRY, "No other origin has the same body.")

    STORE_FAILED = ("store_failed", _STORE, "The store could not be read or written.")
    STORE_FULL = ("store-full", _STORE, "The disk was full, or failed, a moment ago.")
    STORE_OVERHELD = ("store-overheld", _STORE,
                      "Fills and deleted files still in use hold half of the store's size.")
    DISK_FULL = ("disk_full", _STORE, "The disk became full while a body was written.")
    WRITE_FAILED = ("write_failed", _STORE, "A body could not be written.")
    IO_ERROR = ("io_error", _STORE, "A system call failed; `problem` in the log says which.")

    CLIENT_GONE = ("client_gone", _CUT, "The client closed the connection.")
    SLOW_CLIENT = ("slow_client", _CUT,
                   "The client took or sent less than `timeouts.send_min_rate`.")
    BAD_REQUEST = ("bad_request", _CUT, "The request's body was malformed.")
    STOPPED = ("stopped", _CUT, "The edge stopped before the response's end.")
    INTERNAL_ERROR = ("internal_error", _CUT, "A fault of the edge; its log says more.")

    CONNECTION_LIMIT = ("limit", _REFUSED, "`limits.connections` is reached.")
    ADDRESS_LIMIT = ("address_limit", _REFUSED, "`limits.connections_per_address` is reached.")
    HANDSHAKE_LIMIT = ("handshake_limit", _REFUSED,
                       "`limits.handshakes_per_address` is reached.")
    DESCRIPTORS = ("descriptors", _REFUSED, "The process has no file descriptor left.")

    IDLE = ("idle", _TIMEOUT, "No further request in `timeouts.idle`.")
    REQUEST_HEAD = ("head", _TIMEOUT, "No whole request head in `timeouts.head`.")
    TLS_HANDSHAKE = ("tls_handshake", _TIMEOUT,
                     "No whole TLS handshake in `timeouts.tls_handshake`.")

    UNFINISHED_MESSAGE = ("unfinished_message", _TLS, "The client sent a part of a message.")
    NO_MEMORY = ("no_memory", _TLS, "The process has no memory left.")
    UNREAD_ANSWERS = ("unread_answers", _TLS, "The client asks and does not read the answers.")
    NO_APPLICATION_PROTOCOL = ("no_application_protocol", _TLS,
                               "The client speaks none of the protocols spoken here.")
    LONG_HANDSHAKE = ("long_handshake", _TLS, "The handshake is too long.")
    RECORDS_WITHOUT_DATA = ("records_without_data", _TLS, "Too many records bring nothing.")

    PEER_MALFORMED = ("peer_malformed", _PEER, "`Headrace-Peer` is not as servers write it.")
    PEER_SIGNATURE = ("peer_signature", _PEER, "None of the network's secrets signed it so.")
    PEER_CLOCK = ("peer_clock", _PEER,
                  "It was signed more than 30 s before or after now, by this server's clock.")
    PEER_UNKNOWN = ("peer_unknown", _PEER,
                    "The network has no such server at such a site.")
    PEER_UNEXPECTED = ("peer_unexpected", _PEER, "This server is in no network with a secret.")
    PEER_CERTIFICATE = ("peer_certificate", _PEER,
                        "The certificate that it showed is not for the host of the server that it "
                        "says it is, or has expired.")

    BY_COVERAGE = ("coverage", _ROUTING, "A coverage lists the client's address.")
    BY_COUNTRY = ("country", _ROUTING, "No coverage lists it; the site is in its country.")
    BY_CONTINENT = ("continent", _ROUTING, "No coverage lists it; the site is on its continent.")
    BY_DISTANCE = ("nearest", _ROUTING, "No coverage lists it; the site is the nearest one.")
    BY_DEFAULT = ("any", _ROUTING, "Nothing is known of it; any site that serves such clients.")
    BY_EXTERNAL = ("external", _ROUTING, "No site of the client's can serve; an external one does.")
    NO_SERVER = ("none", _ROUTING, "Nothing can serve the client.")
    # fmt: on


def of_status(status: int) -> str:
    """Return the word for a response that was refused, or failed, with this status."""
    return f"status_{status}"


def not_shared(reason: Reason) -> str:
    """Return the word for a part that must not be stored with the others, for this reason."""
    return f"not_shared_{reason.word}"


_SEEN_BY_CLIENTS = frozenset(Area) - {
    Area.POSTING,
    Area.REFUSED,
    Area.TIMEOUT,
    Area.TLS,
    Area.PEER,
    Area.ROUTING,
}
_REFUSED_PEERS = {each.word: each for each in Reason if each and each.area is _PEER}
_BY_WORD = {each.word: each for each in Reason if each and each.area in _SEEN_BY_CLIENTS}


def meaning_of(word: str) -> str:
    """Return what a word of a log line or of Cache-Status means; "" for none of ours."""
    found = _BY_WORD.get(word) or _REFUSED_PEERS.get(word)
    return "" if found is None else found.meaning
