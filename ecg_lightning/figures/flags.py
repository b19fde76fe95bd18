"""Flags of a recording's quality as text for people."""

from collections.abc import Iterable


def flags_text(flags: Iterable[str], without: str = "") -> str:
    """Returns the flags as text, those of one kind together.

    Args:
        flags: as `Record.quality` has them.
        without: a kind that is left out.

    >>> flags_text(["missing:V1", "flat:V2", "limb_leads_derived", "flat:V4"], without="missing")
    'flat: V2, V4; limb leads derived'
    """
    kinds: dict[str, list[str]] = {}
    for flag in flags:
        kind, _, detail = flag.partition(":")
        kinds.setdefault(kind, []).extend([detail.replace("_", " ")] if detail else [])
    kinds.pop(without, None)
    texts = (f"{kind}: {', '.join(details)}" if details else kind for kind, details in kinds.items())
    return "; ".join(text.replace("_", " ") for text in texts)
