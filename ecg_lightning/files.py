"""Writing files so that a reader sees the old or the whole new one, never a half."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4


def write_whole(path: Path, text: str) -> None:
    """Writes a text so that a reader sees either the old file or the whole new one, whoever else writes it."""
    partial = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """As `write_whole`, JSON."""
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
