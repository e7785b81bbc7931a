"""Configuration files: their reader, and the schema of each role's."""

from headrace.config.access_log import AccessLog
from headrace.config.addresses import Address, TcpAddress, UnixAddress
from headrace.config.edge.model import Config
from headrace.config.edge.options import Limits, StoreOptions, Timeouts
from headrace.config.edge.service import CacheRules, KeyRules, PathRule, Service
from headrace.config.server import Admin, Certificate, Listener, TlsOptions

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
    "PathRule",
    "Service",
    "StoreOptions",
    "TcpAddress",
    "Timeouts",
    "TlsOptions",
    "UnixAddress",
]
