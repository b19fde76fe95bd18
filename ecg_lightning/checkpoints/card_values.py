"""The values of a card: as JSON can hold them, of the types of its fields, and in today's format."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ecg_lightning.errors import UNPRINTABLE

DEEPEST = 100
"""Mappings and lists within each other; each ancestor of a network adds one, and its data a few."""
LARGEST_INTEGER = 2**63
"""Whole numbers of a card are smaller: what counts recordings fits in 64 bits, and larger ones do not become floats."""


def migrated(values: dict[str, Any]) -> dict[str, Any]:
    """Turns the values of an older format's card into those of today's."""
    number = values.pop("format", None)
    if not isinstance(number, int) or number < 1:
        raise ValueError("format: no number")
    if number == 1:  # it had the package's version beside the provenance, too
        version = values.pop("version", "")
        if isinstance(version, str):
            values["provenance"] = {"ecg_lightning": version} | dict(values.get("provenance") or {})
    if number <= 2:  # there was no way to filter but the band-pass
        network_input = values.get("input")
        if isinstance(network_input, dict) and isinstance(network_input.get("preprocess"), dict):
            network_input["preprocess"] = {"notch": None, "baseline": None} | network_input["preprocess"]
    if number <= 3:  # the rules had no names, and there was one of each
        was_validated = bool(values.get("metrics"))
        values |= {
            "threshold_rule": "paper" if was_validated else "",
            "calibration_method": "platt" if was_validated else "",
        }
    return values


def plain(value: Any, depth: int = 0) -> Any:
    """Returns a value as JSON can hold it: tuples are lists, and None stands for a number that is not finite.

    Raises:
        ValueError: for an object that JSON cannot hold, a text with control characters, a number that is too large, or
            mappings and lists that are nested too deeply.
    """
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} mappings and lists within each other")
    if isinstance(value, Mapping):
        return {plain(key, depth): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, str) and UNPRINTABLE.search(value):
        raise ValueError(f"the text {value[:80]!a} has a control character")
    if isinstance(value, int) and not -LARGEST_INTEGER <= value < LARGEST_INTEGER:
        raise ValueError("a whole number of more than 64 bits")
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"a value of the type {type(value).__name__}")
    return None if isinstance(value, float) and not math.isfinite(value) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def typed(kind: Any, value: Any, where: str) -> Any:
    """Returns the value as its field's type has it; raises a ValueError that names the field otherwise."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        options = [option for option in inner if option is not NoneType]
        return None if value is None and NoneType in inner else typed(options[0], value, where)
    if is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise ValueError(f"{where or 'card'}: no mapping")
        hints, arguments = _hints(kind), {}  # type: ignore[arg-type]
        for each in fields(kind):
            path = f"{where}.{each.name}" if where else each.name
            if each.name in value:
                arguments[each.name] = typed(hints[each.name], value[each.name], path)
            elif each.default is MISSING and each.default_factory is MISSING:
                raise ValueError(f"{path} is missing")
        return kind(**arguments)  # type: ignore[operator]
    if origin is list and isinstance(value, list):
        return [typed(inner[0], each, f"{where}[{k}]") for k, each in enumerate(value)]
    if origin is dict and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: typed(inner[1], each, f"{where}.{key}") for key, each in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(kind, type) and isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise ValueError(f"{where}: {type(value).__name__} instead of {getattr(kind, '__name__', kind)}")
