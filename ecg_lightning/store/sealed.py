"""JSON that holds a hash of itself, so that one changed character is noticed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ecg_lightning.files import parse_json

SEAL = "seal"


def seal(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as plain JSON values, and its hash under `seal`."""
    plain: dict[str, Any] = json.loads(json.dumps(content, default=_plain))
    return plain | {SEAL: _hash(plain)}


def unseal(text: bytes | str) -> dict[str, Any]:
    """The content of sealed JSON.

    Raises:
        ValueError: where it was cut off or changed.
    """
    content = parse_json(text)
    if content.pop(SEAL, None) != _hash(content):
        raise ValueError("it is not as it was written")
    return content


def _hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot stand in an index")
