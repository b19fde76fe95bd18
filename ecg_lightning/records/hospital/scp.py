"""SCP-ECG files that count their samples from 0, brought to the standard's count from 1."""

import binascii

from ecg_lightning.records.record import RecordError

_HEADER = 16  # bytes of a section's header
_ENTRY = 9  # bytes of a lead in section 3: first sample, last sample, code
_FEWEST_BITS = 1  # of a sample in Huffman's code


def counted_from_one(data: bytes) -> bytes | None:
    """A copy of a file whose leads begin with sample 1; None where no lead begins with sample 0.

    The standard counts from 1. Programs that begin with 0 give the number of samples, or the number of the last one, as the
    end; the size of leads without Huffman's code says which.

    Args:
        data: the file.

    Raises:
        RecordError: where a lead claims more samples than the file can hold.
    """
    sections = _sections(data)
    if 3 not in sections or 6 not in sections:
        return None  # the reader says what is missing
    start, size = sections[3]
    body, count = start + _HEADER, data[start + _HEADER]
    if size < _HEADER + 2 + _ENTRY * count:
        return None
    changed = bytearray(data)
    sizes = sections[6][0] + _HEADER + 6
    is_changed = False
    for lead in range(count):
        entry = body + 2 + _ENTRY * lead
        first, last = _number(data, entry, 4), _number(data, entry + 4, 4)
        if last - first >= 8 * len(data) // _FEWEST_BITS:
            raise RecordError(
                f"bad header: a lead claims {last - first:,} samples, and the file has {len(data):,} bytes"
            )
        if first == 0:
            stored = _number(data, sizes + 2 * lead, 2) // 2
            is_last = 2 not in sections and stored == last + 1
            changed[entry : entry + 8] = (1).to_bytes(4, "little") + (last + is_last).to_bytes(4, "little")
            is_changed = True
    if not is_changed:
        return None
    _keep_checksum(data, changed, start, size)
    _keep_checksum(data, changed, 0, _number(data, 2, 4))
    return bytes(changed)


def _sections(data: bytes) -> dict[int, tuple[int, int]]:
    """Offset and size of each section that section 0 points to and that lies within the file."""
    sections = {}
    for pointer in range(6 + _HEADER, min(6 + _number(data, 10, 4), len(data) - 9), 10):
        section, size, index = _number(data, pointer, 2), _number(data, pointer + 2, 4), _number(data, pointer + 6, 4)
        if section and size > _HEADER and 0 < index and index - 1 + size <= len(data):
            sections[section] = (index - 1, size)
    return sections


def _keep_checksum(data: bytes, changed: bytearray, start: int, size: int) -> None:
    """Writes the checksum of a changed block where that of the original was right, so that a wrong one stays wrong."""
    stop = start + size
    if binascii.crc_hqx(data[start + 2 : stop], 0xFFFF) == _number(data, start, 2):
        changed[start : start + 2] = binascii.crc_hqx(changed[start + 2 : stop], 0xFFFF).to_bytes(2, "little")


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")
