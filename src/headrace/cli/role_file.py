"""Whose configuration a file is: each role has keys that no other has."""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.config.loader import load_config
from headrace.config.root import Root, RootT
from headrace.errors import HeadraceError


class RoleName(enum.StrEnum):
    """The roles whose files can be checked."""

    EDGE = "edge"
    ROUTER = "router"
    FEEDBACK = "feedback"
    VIP = "vip"


# Where each root is. Only the one that is asked for is imported: its models take time to build.
_PLACES = {
    RoleName.EDGE: ("headrace.config.edge", "EDGE"),
    RoleName.ROUTER: ("headrace.config.router", "ROUTER"),
    RoleName.FEEDBACK: ("headrace.config.feedback", "FEEDBACK"),
    RoleName.VIP: ("headrace.config.vip", "VIP"),
}
_EDGES_ONLY = ("cache_dir", "service", "site")
_ROUTERS_ONLY = ("state_dir", "steering", "dns", "trusted_proxies", "forwarded_field", "api_hosts")
_FEEDBACKS_ONLY = ("probe", "probing", "observer", "publish", "states", "balance", "tick", "mode")
_VIPS_ONLY = ("speaker", "check", "checking", "addresses", "neighbours", "edge")
_ONLY = {
    RoleName.EDGE: _EDGES_ONLY,
    RoleName.ROUTER: _ROUTERS_ONLY,
    RoleName.FEEDBACK: _FEEDBACKS_ONLY,
    RoleName.VIP: _VIPS_ONLY,
}
_SHARED = {"state_dir"}  # of all but an edge
_NAMED = {
    RoleName.EDGE: "an edge",
    RoleName.ROUTER: "a router",
    RoleName.FEEDBACK: "a feedback process",
    RoleName.VIP: "a process that announces VIPs",
}
_RUN = {RoleName.VIP: "vip run"}
_DESCRIPTIONS_ONLY = ("server", "coverage", "class")
# Files of no role, by a key that each must have, with what reads them.
_NO_ROLES = {
    "isp": "a lab: headrace lab up --topology",
    "affected": "a drill: headrace lab drill",
    "audience": "what is to be simulated: headrace simulate",
}


class NotOfARole(HeadraceError):
    """The file describes a network, a lab, a drill or a scenario: no role is configured by it."""


def root_of(role: RoleName) -> Root[Any]:
    """Return how a role is configured."""
    module, name = _PLACES[role]
    root: Root[Any] = getattr(import_module(module), name)
    return root


def role_of(path: Path) -> RoleName:
    """Return whose configuration a file seems to be: an edge's, unless it has keys that only a
    router's, a feedback or a VIP process's has. What cannot be read is left to the loader, which
    says why.

    Raises NotOfARole.
    """
    document = _document(path)
    for key, what in _NO_ROLES.items():
        if key in document and "listen" not in document:
            raise NotOfARole(f"{path} describes {what} {path} reads it")
    edges = any(key in document for key in _EDGES_ONLY)
    routers = any(key in document for key in _ROUTERS_ONLY)
    if any(key in document for key in _FEEDBACKS_ONLY) and not edges:
        return RoleName.FEEDBACK
    if any(key in document for key in _VIPS_ONLY) and not edges:
        return RoleName.VIP
    if any(key in document for key in _DESCRIPTIONS_ONLY) and "cache_dir" not in document:
        raise NotOfARole(f"{path} describes a network: headrace network check {path} checks it")
    return RoleName.ROUTER if routers and not edges else RoleName.EDGE


def load_for(path: Path, root: Root[RootT]) -> RootT:
    """Return the configuration of a role. Raises ConfigError; NotOfARole for another one's file."""
    seems = role_of(path)
    if root_of(seems) is not root and has_keys_of(seems, path) and not _has_own_keys(root, path):
        raise NotOfARole(
            f"{path} configures {_NAMED[seems]}: run headrace {_RUN.get(seems, seems.value)} "
            f"--config {path}"
        )
    return load_config(path, root)


def has_keys_of(role: RoleName, path: Path) -> bool:
    """Return whether a file has a key that only files of this role have."""
    document = _document(path)
    return any(key in document for key in _ONLY[role])


def _has_own_keys(root: Root[Any], path: Path) -> bool:
    document = _document(path)
    keys = {key for role in RoleName if root_of(role) is root for key in _ONLY[role]}
    return any(key in document for key in keys - _SHARED)


def _document(path: Path) -> Mapping[str, Any]:
    """Return what a file holds; nothing where it cannot be read, or only once as a pipe."""
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
