"""Multi-segment WFDB records: the headers of segments and layout that belong to a master header beside them."""

import os
from collections import defaultdict
from collections.abc import Iterable

from ecg_lightning.records.files import any_case, decoded, read_bytes
from ecg_lightning.records.record import RecordError

_LARGEST_HEADER = 1 << 20  # bytes; a master lists up to some ten thousand segments
_NULL = "~"  # a pause between segments, header(5)


def segments_of(header: str) -> list[str]:
    """The headers (`.hea`) of the segments that a master header lists, the layout among them; none for any other header."""
    try:
        text = decoded(read_bytes(any_case(header), _LARGEST_HEADER)[0])
    except RecordError:  # it is read again later, and refused then
        return []
    lines = (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    if "/" not in next(lines, [""])[0]:
        return []
    folder = os.path.dirname(header)
    return [os.path.join(folder, f"{line[0]}.hea") for line in lines if line[0] != _NULL]


def masters_of_segments(headers: Iterable[str]) -> dict[str, str]:
    """The master of each header that is a segment, or the layout, of another one of these headers.

    Only headers are opened whose names allow them to be masters: a segment is named `MASTER_…`, or its folder has a layout.
    """
    stems = defaultdict(set)
    for header in headers:
        folder, name = os.path.split(header)
        stems[folder].add(name)
    master_of = {}
    for folder, names in stems.items():
        for name in sorted(_may_be_masters(names)):
            master = os.path.join(folder, name)
            master_of.update({segment: master for segment in segments_of(master) if os.path.basename(segment) in names})
    return master_of


def _may_be_masters(names: set[str]) -> set[str]:
    roots = {os.path.splitext(name)[0] for name in names}
    if any(root.lower().endswith("_layout") for root in roots):
        return names
    prefixes = {root[:place] for root in roots for place, letter in enumerate(root) if letter == "_"}
    return {name for name in names if os.path.splitext(name)[0] in prefixes}
