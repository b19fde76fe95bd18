"""Diagnoses in words that a file holds, without the lines that name people."""

import re
from collections.abc import Iterable

from ecg_lightning.records.missing import stated

_NAMES_SOMEBODY = re.compile(
    r"\b(?:confirmed|reviewed|referred|read|overread|interpreted|edited|validated|verified|signed|ordered|diagnosed|acquired"
    r"|requested|approved)\b.{0,30}(?:\bby\b|:)|\b(?:dr|prof|m\.?d|phys(?:ician)?|technician|patient name|name)\s*[.:]"
    r"|\b(?:bestätigt|befundet|validiert|freigegeben)\b.{0,20}\b(?:von|durch)\b"
    r"|\b(?:confirmé|validé|relu|signé)e?\b.{0,20}\bpar\b|\b(?:confermato|refertato|firmato)\b.{0,20}\bda\b"
    r"|\b(?:confirmado|validado|firmado|assinado)\b.{0,20}\bpor\b",
    re.IGNORECASE,
)


def clean_statements(texts: Iterable[str]) -> tuple[str, ...]:
    """The statements, each once, on one line each; a line that names a person, or nothing but marks, is left out.

    >>> clean_statements(["Sinus rhythm", " ---", "Confirmed by SMITH, JOHN", "Sinus  rhythm", "V1|V2: ST elevation"])
    ('Sinus rhythm', 'V1/V2: ST elevation')
    """
    lines = (" ".join(text.replace("|", "/").split()) for text in texts)
    return tuple(dict.fromkeys(line for line in lines if stated(line) and not _NAMES_SOMEBODY.search(line)))
