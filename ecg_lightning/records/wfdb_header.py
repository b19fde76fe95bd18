"""WFDB headers: the record line, the signal lines and the comments, which `patient` reads.

Written from the specification (header(5) of the WFDB Applications Guide). Signal lines of an archive repeat the same
few fields, so that these are parsed once and remembered; a header takes some 30 µs.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from ecg_lightning.records.files import inside
from ecg_lightning.records.record import RecordError

_DEFAULT_GAIN = 200.0  # where the gain is absent or 0, header(5)
_DEFAULT_RATE = 250.0
RATE_ASSUMED, GAIN_ASSUMED = "rate_assumed:250Hz", "gain_assumed:200"
_RECORD_NAME = re.compile(r"(.+?)(?:/(\d+))?$")  # some write a path before it, though it is a name alone
_FORMAT = re.compile(r"(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$")
_GAIN = re.compile(r"([-+.\deE]+)(?:\(([-+\d]+)\))?(?:/(\S+))?$")
_DATE = re.compile(r"\d+:\d+:\d+(?:\.\d+)?\s+(\d\d)/(\d\d)/(\d{4})\s*$")


@dataclass(slots=True, frozen=True)
class Layout:
    """How samples lie in a signal file: WFDB format, samples a frame, skew, byte offset."""

    format: int
    samples_per_frame: int
    skew: int
    offset: int


@dataclass(slots=True)
class SignalLine:
    """One signal of a header; gain in steps a unit, baseline in steps."""

    file_name: str
    layout: Layout
    gain: float
    baseline: int
    unit: str
    checksum: int | None
    name: str
    gain_assumed: bool = False


@dataclass(slots=True)
class Header:
    """A single-segment header, or (segments > 1) as much of it as says that there are segments."""

    record_name: str
    segments: int
    sampling_rate: float
    samples: int  # 0 where the header does not say
    date: str
    signals: list[SignalLine]
    comments: str
    assumed: tuple[str, ...] = ()  # flags for what the standard says where the header does not: RATE_ASSUMED …
    segment_names: tuple[str, ...] = ()  # records of which it consists; "~" for a pause


@lru_cache(maxsize=1024)
def _layout(field: str) -> Layout:
    match = _FORMAT.match(field)
    if match is None:
        raise RecordError(f"bad header: signal format {field!r}")
    form, per_frame, skew, offset = match.groups()
    return Layout(int(form), int(per_frame or 1), int(skew or 0), int(offset or 0))


@lru_cache(maxsize=4096)
def _gain(field: str) -> tuple[float, int | None, str, bool]:
    match = _GAIN.match(field)
    if match is None:
        raise RecordError(f"bad header: gain {field!r}")
    gain, baseline, unit = match.groups()
    return (
        float(gain) or _DEFAULT_GAIN, None if baseline is None else int(baseline), unit or "mV", not float(gain),
    )  # fmt: skip


def _signal_line(line: str) -> SignalLine:
    """Parse `file format gain(baseline)/unit resolution zero first checksum block description`, the end optional."""
    fields = line.split(None, 8)
    if len(fields) < 2:
        raise RecordError(f"bad header: signal line {line!r}")
    gain, baseline, unit, assumed = _gain(fields[2]) if len(fields) > 2 else (_DEFAULT_GAIN, None, "mV", True)
    if baseline is None:
        baseline = int(fields[4]) if len(fields) > 4 else 0
    checksum = int(fields[6]) if len(fields) > 6 else None
    name = fields[8].rstrip() if len(fields) > 8 else ""
    return SignalLine(inside(fields[0]), _layout(fields[1]), gain, baseline, unit, checksum, name, assumed)


def parse_header(text: str) -> Header:
    """Parse the text of a `.hea` file.

    Raises:
        RecordError: "bad header", with the line; "path outside the folder".
    """
    lines = [line for line in text.splitlines() if line and not line.isspace()]
    body = [line for line in lines if line[0] != "#"]
    if not body:
        raise RecordError("bad header: no record line")
    fields = body[0].split()
    name, segments = _record_name(fields[0])
    try:
        rate = float(fields[2].partition("/")[0].partition("(")[0]) if len(fields) > 2 else _DEFAULT_RATE
        samples = int(fields[3]) if len(fields) > 3 else 0
        count = int(fields[1])
        signals = [] if segments else [_signal_line(line) for line in body[1 : 1 + count]]
    except (ValueError, IndexError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(f"bad header: {error} in {body[0]!r} or its signal lines") from error
    if count < 0 or samples < 0:
        raise RecordError(f"bad header: a negative number in {body[0]!r}")
    if not segments and len(signals) < count:
        raise RecordError(f"bad header: {count} signals announced, {len(signals)} described")
    # Only the standard's own form is a recording date: CinC writes day-month-year of its conversion before the time.
    match = _DATE.search(body[0])
    date = "-".join(reversed(match.groups())) if match else ""
    comments = "\n".join(line for line in lines if line[0] == "#")
    assumed = (RATE_ASSUMED,) * (len(fields) < 3) + (GAIN_ASSUMED,) * any(line.gain_assumed for line in signals)
    parts = tuple(inside(line.split()[0]) for line in body[1 : 1 + int(segments)]) if segments else ()
    return Header(name, int(segments or 1), rate, samples, date, signals, comments, assumed, parts)


def _record_name(field: str) -> tuple[str, str]:
    match = _RECORD_NAME.match(field)
    if match is None:
        raise RecordError(f"bad header: record name {field!r}")
    return match[1].rpartition("/")[2], match[2] or ""
