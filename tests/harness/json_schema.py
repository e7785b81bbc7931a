"""Whether a value is as a JSON schema says: as much of the language as the admin API's has.

Stricter than the standard in two ways: a property that a schema does not name is a mistake unless
`additionalProperties` allows it, and so is a keyword that is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
SILENT = {"title", "description", "default", "examples", "properties", "required"}


def mistakes(
    value: object, schema: Mapping[str, Any], document: Mapping[str, Any], at: str = "$"
) -> Iterator[str]:
    """Yield what is wrong with a value, each with its place."""
    for keyword, wanted in schema.items():
        match keyword:
            case "$ref":
                found: Any = document
                for part in wanted.removeprefix("#/").split("/"):
                    found = found[part]
                yield from mistakes(value, found, document, at)
            case "type":
                if not _is(value, wanted):
                    yield f"{at} is {value!r}, not of type {wanted}"
            case "enum" | "const":
                if value not in (wanted if keyword == "enum" else [wanted]):
                    yield f"{at} is {value!r}, not {wanted!r}"
            case "anyOf":
                if all(any(mistakes(value, one, document)) for one in wanted):
                    yield f"{at} is {value!r}, none of {wanted}"
            case "items" | "prefixItems" | "minItems" | "maxItems" if isinstance(value, list):
                yield from _list(value, schema, keyword, document, at)
            case "minimum" | "maximum" | "exclusiveMinimum" | "minLength" | "maxLength":
                if not _within(value, keyword, wanted):
                    yield f"{at} is {value!r}, beyond {keyword} {wanted}"
            case "maxProperties":
                if isinstance(value, dict) and len(value) > wanted:
                    yield f"{at} has more than {wanted} properties"
            case "propertyNames":
                for name in value if isinstance(value, dict) else ():
                    yield from mistakes(name, wanted, document, f"{at}.{name}")
            case "additionalProperties" if not isinstance(wanted, bool):
                assert isinstance(value, dict)
                for name in value.keys() - schema.get("properties", {}).keys():
                    yield from mistakes(value[name], wanted, document, f"{at}.{name}")
            case "additionalProperties":
                pass
            case _:
                assert keyword in SILENT, f"{keyword} is not known here"
    if isinstance(value, dict):
        yield from _properties(value, schema, document, at)


def _properties(
    value: Mapping[str, Any], schema: Mapping[str, Any], document: Mapping[str, Any], at: str
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}.{name} is missing"
    for name, one in value.items():
        if name in properties:
            yield from mistakes(one, properties[name], document, f"{at}.{name}")
        elif properties and not schema.get("additionalProperties"):
            yield f"{at}.{name} is not described"


def _list(
    value: list[Any], schema: Mapping[str, Any], keyword: str, document: Mapping[str, Any], at: str
) -> Iterator[str]:
    firsts = schema.get("prefixItems", [])
    if keyword == "prefixItems":
        for number, (one, wanted) in enumerate(zip(value, firsts, strict=False)):
            yield from mistakes(one, wanted, document, f"{at}[{number}]")
    elif keyword == "items" and schema["items"] is not False:
        for number, one in enumerate(value[len(firsts) :], len(firsts)):
            yield from mistakes(one, schema["items"], document, f"{at}[{number}]")
    elif keyword == "items" and len(value) > len(firsts):
        yield f"{at} has more than {len(firsts)} items"
    elif keyword == "minItems" and len(value) < schema[keyword]:
        yield f"{at} has fewer than {schema[keyword]} items"
    elif keyword == "maxItems" and len(value) > schema[keyword]:
        yield f"{at} has more than {schema[keyword]} items"


def _is(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, TYPES[name])


def _within(value: object, keyword: str, bound: float) -> bool:
    if keyword == "minLength":
        return not isinstance(value, str) or len(value) >= bound
    if keyword == "maxLength":
        return not isinstance(value, str) or len(value) <= bound
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    if keyword == "exclusiveMinimum":
        return value > bound
    return value >= bound if keyword == "minimum" else value <= bound
