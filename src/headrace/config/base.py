"""What every configuration model shares: strict, frozen, and named in TOML without unit suffixes.

An attribute carries its unit (`head_s`, `size_bytes`); its TOML key does not (`head`, `size`),
because there the value does (`"10s"`, `"10GiB"`, `"10Gbps"`; a bare number means seconds, bytes or
bit/s).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

_UNIT_SUFFIXES = ("_bytes_per_s", "_bytes", "_bps", "_s")
_TABLES_IN_SINGULAR = {
    "listeners": "listen",
    "certificates": "certificate",
    "services": "service",
    "rules": "rule",
    "pools": "pool",
    "retries": "retry",
    "routes": "route",
    "zones": "zone",
    "records": "record",
    "observers": "observer",
    "probes": "probe",
    "routers": "router",
    "checks": "check",
}


def toml_key(attribute: str) -> str:
    """Return the TOML key of a model's attribute: `size_bytes` is `size`, `services` is
    `service`.
    """
    singular = _TABLES_IN_SINGULAR.get(attribute)
    if singular is not None:
        return singular
    for suffix in _UNIT_SUFFIXES:
        if attribute.endswith(suffix):
            return attribute.removesuffix(suffix)
    return attribute


def _from_base(path: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base")
    return path if base is None else Path(base) / path


FilePath = Annotated[Path, AfterValidator(_from_base)]
"""A path; a relative one starts from the directory that the validation's context calls `base`."""


@dataclass(frozen=True, slots=True)
class Written:
    """How the reference calls a field's type, where neither annotation nor name say it."""

    kind: str


class Model(BaseModel):
    """Base of the schema: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=toml_key,
        populate_by_name=True,
        validate_default=True,
        use_attribute_docstrings=False,
        defer_build=True,
    )
