"""Reads a YAML file that people wrote: whatever is wrong with it is one sentence."""

import codecs
import io
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ecg_lightning.errors import UserError, one_line

LARGEST = 4_000_000
"""Bytes of a configuration; a list of codes that is longer belongs into a table."""
NODES = 200_000
"""Values in one file, aliases counted as often as they are used: a few lines of aliases of aliases make billions."""
DEEPEST = 200
"""Brackets within brackets; beyond some thousands the parser itself fails."""


def read_yaml(path: Path) -> DictConfig:
    """Reads a YAML mapping in UTF-8, with or without a byte-order mark.

    Raises:
        UserError: for another encoding, a syntax error, duplicate keys, keys that are no text, or an empty file.
    """
    text = _text(path)
    if max(text.count("["), text.count("{")) > DEEPEST and _depth(text) > DEEPEST:
        raise UserError(f"{path} has more than {DEEPEST} brackets within each other.")
    try:
        config = OmegaConf.load(io.StringIO(text), max_yaml_expanded_nodes=NODES)
    except (YAMLError, OmegaConfBaseException, ValueError, TypeError) as error:
        raise UserError(f"{path} is not readable YAML: {one_line(error)}{_advice(error, text)}") from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply to be a configuration.") from error
    except OSError as error:  # OmegaConf's word for a file that holds a single value
        raise UserError(f"{path} must be a mapping of keys to values.") from error
    written = OmegaConf.to_container(config, resolve=False)
    if not isinstance(config, DictConfig) or written == {text.strip(): None}:  # what OmegaConf makes of a mere word
        raise UserError(f"{path} must be a mapping of keys to values.")
    if not written:
        raise UserError(f"{path} is empty: it holds no key.")
    _check_keys(written, path, "")
    return config


def _text(path: Path) -> str:
    """Reads the file's text.

    Raises:
        UserError: where it is not in UTF-8.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UserError(f"{path} has more than {LARGEST / 1e6:g} MB: that is no configuration.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{path} is in UTF-16. Save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path} is not in UTF-8 (line {line}, byte {content[error.start]:#04x}), most likely in Latin-1 or a Windows "
            "encoding. Save it as UTF-8."
        ) from error
    if "\0" in text:
        raise UserError(f"{path} holds NUL characters: it is in UTF-16, or no text. Save it as UTF-8.")
    return text


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


def _advice(error: Exception, text: str) -> str:
    if "cannot start any token" in str(error) and "\t" in text:
        return ". YAML is indented with spaces, never with tabs."
    if "could not determine a constructor" in str(error):
        return ". A configuration holds plain values; tags (!…) are not read."
    return ""


def _check_keys(values: Any, path: Path, place: str) -> None:
    """Asks that keys are text, or whole numbers (epochs of a schedule) below the top.

    Raises:
        UserError: naming the key.
    """
    if isinstance(values, list):
        for number, value in enumerate(values):
            _check_keys(value, path, f"{place}[{number}]")
    if not isinstance(values, dict):
        return
    for key, value in values.items():
        if isinstance(key, bool) or not isinstance(key, str | int) or (isinstance(key, int) and not place):
            where = f"in {place}" if place else "at the top"
            words = " (YAML reads NO, YES, ON and OFF as false and true)" if isinstance(key, bool) else ""
            raise UserError(f"{path}: the key {key!r} {where} is not text{words}. Write it in quotes.")
        _check_keys(value, path, f"{place}.{key}" if place else str(key))
