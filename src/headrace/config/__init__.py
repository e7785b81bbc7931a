"""The schema of an edge's configuration, and the reader of its TOML file."""

from headrace.config.addresses import Address, OriginUrl, TcpAddress, UnixAddress
from headrace.config.model import Config
from headrace.config.server import (
    AccessLog,
    Admin,
    Certificate,
    Limits,
    Listener,
    StoreOptions,
    Timeouts,
    TlsOptions,
)
from headrace.config.service import CacheRules, KeyRules, PathRule, Service

__all__ = [
    "AccessLog",
    "Address",
    "Admin",
    "CacheRules",
    "Certificate",
    "Config",
    "KeyRules",
    "Limits",
    "Listener",
    "OriginUrl",
    "PathRule",
    "Service",
    "StoreOptions",
    "TcpAddress",
    "Timeouts",
    "TlsOptions",
    "UnixAddress",
]
