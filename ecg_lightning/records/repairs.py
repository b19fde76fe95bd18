"""Robust reading: each defect is repaired by a named rule and flagged, or the recording is refused with its reason.

| defect | what is done | flag, or reason of the `RecordError` |
|---|---|---|
| zeros (or nothing) in all leads at both ends | cut, from a tenth of a second on | `padding_removed` |
| no samples · less than one second · not 30 to 50,000 Hz | refused | `empty signal` · `too short` · `bad sampling rate` |
| single samples that are not numbers, or marks like 1e20 | linear interpolation | `nan_filled:V1` |
| more than half of a lead not numbers | the lead is derived from limb leads, or zero | `limb_leads_derived`, `missing:V3` |
| more than a tenth of the other leads not numbers | refused | `too many missing samples` |
| microvolts taken as millivolts | divided by 1000 | `unit_repaired` |
| an amplitude that no unit explains | refused | `implausible amplitude` |
| a flat lead · all leads flat | kept · refused | `flat:V1` · `flat signal` |
| an amplifier or a number format at its limit | kept | `saturated:V5` |
| lead I, or II and aVR, look inverted | kept | `suspect:limb_leads_swapped` |
| III, aVR, aVL or aVF do not follow from I and II | kept | `suspect:limb_leads_disagree` |

Other files set further flags. Where a WFDB header is read: `gain_repaired` for gains that contradict their samples,
`header_repaired` for odd record names, `rate_assumed:250Hz` and `gain_assumed:200` where the header is silent and the standard
speaks, `wrong_checksum` for a sum that does not fit, `samples_beyond_header` for a file that goes on after its last sample.
Where arrays are read: `unit_assumed:uV` for integers without a unit, `lead_order_assumed` for rows without names whose order
nothing proves. Where leads are put in order: `extra_leads_dropped`. On 3,300 real recordings of eleven archives the rules
change no sound recording; the comments at the thresholds say what was measured.
"""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.lead_order import DISAGREE, NO_SAMPLE, limb_leads_disagree
from ecg_lightning.records.leads import standard_leads
from ecg_lightning.records.record import LEADS, Record, RecordError, Signal
from ecg_lightning.records.times import check_plausible_rate

_LEAST_PADDING = 0.1  # s in all; CODE pads ten seconds (4000 samples) to 4096, and less is not worth a cut
_LEAST_DURATION = 1.0  # s, one heart beat
_MISSING_SHARE = 0.1
_MISSING_LEAD = 0.5  # beyond, interpolation would draw most of a lead as straight lines
_FLAT = 0.01  # mV peak to peak: ten units of the store
# Median peak to peak of the leads, mV. Real recordings: 0.47 to 50 (an artefact); microvolts: 470 and more.
_MOST_RANGE = 100.0
_SATURATION = 2.0  # mV: nearer to zero an extreme that lasts is a flat T wave in coarse steps
_SATURATION_TIME = 0.03  # s; of 3,300 recordings one holds its extreme so long, a real saturation
# A clipped QRS complex ends in a plateau at the same extreme beat after beat: three of 8 ms (at least two samples) at
# 0.3 mV or more occur in none of the 3,300 recordings, and in nine of ten that reach 1.1 mV after they are cut at 1 mV.
_PLATEAUS, _PLATEAU_TIME, _PLATEAU_EXTREME = 3, 0.008, 0.3
_LIMIT = 32.7665  # mV: the end of int16 in microvolts, to half a step
_SWAP_SLOPE_TIME = 0.01  # s
_SWAP_CORRELATION = -0.5
_SWAP_OF_LEG, _SWAP_UPRIGHT = -0.7, 0.3
_ONE_SOURCE = -0.99  # so alike no two leads see a heart: an electrode's disturbance


def repair(record: Record, incomplete: bool = False) -> Record:
    """Applies the table above; a recording that was repaired before comes back the same.

    Args:
        record: as it was read.
        incomplete: whether it may lack limb leads that cannot be derived.

    Raises:
        RecordError: see the table.
    """
    signal, flags = record.signal, list(record.quality)
    missing = {flag.removeprefix("missing:") for flag in flags if flag.startswith("missing:")}
    if signal.shape[1] == 0:
        raise RecordError("empty signal")
    check_plausible_rate(record.sampling_rate)
    signal, cut = trim_padding(signal, record.sampling_rate)
    if cut:
        flags.append("padding_removed")
    if signal.shape[1] < _LEAST_DURATION * record.sampling_rate:
        raise RecordError(f"too short: {signal.shape[1] / record.sampling_rate:.2f} s of signal")
    low, high = signal.min(axis=1), signal.max(axis=1)
    if not (low.min() >= -NO_SAMPLE and high.max() <= NO_SAMPLE):  # or one of them is NaN
        signal = np.where(np.abs(signal) > NO_SAMPLE, np.float32(np.nan), signal)
        low, high = signal.min(axis=1), signal.max(axis=1)
    if not np.isfinite(low + high).all():
        signal, filled = fill_missing(signal, missing, incomplete)
        flags += filled
        low, high = signal.min(axis=1), signal.max(axis=1)
    ranges: list[float] = (high - low).tolist()
    if max(ranges) < _FLAT:
        raise RecordError(f"flat signal: no lead reaches {1000 * _FLAT:g} µV peak to peak; is its unit right?")
    present = [k for k, lead in enumerate(LEADS) if f"missing:{lead}" not in flags]
    median = _median([ranges[k] for k in present])
    if median > _MOST_RANGE and (typical := _typical_range(signal[present])) > _MOST_RANGE:
        if typical > 1000 * _MOST_RANGE:
            raise RecordError(f"implausible amplitude: {typical:g} mV peak to peak")
        signal, low, high = signal / np.float32(1000), low / 1000, high / 1000
        ranges = [span / 1000 for span in ranges]
        flags.append("unit_repaired")
    flags += [
        f"flat:{lead}"
        for lead, span in zip(LEADS, ranges, strict=True)
        if span < _FLAT and f"missing:{lead}" not in flags
    ]
    flags += [f"saturated:{LEADS[i]}" for i in _saturated(signal, low, high, record.sampling_rate)]
    if _looks_swapped(signal, record.sampling_rate):
        flags.append("suspect:limb_leads_swapped")
    if limb_leads_disagree(signal, record.sampling_rate):
        flags.append(DISAGREE)
    return replace(record, signal=signal, quality=tuple(dict.fromkeys(flags)))


def trim_padding(signal: Signal, sampling_rate: float) -> tuple[Signal, bool]:
    """Cuts both ends where all leads are zero or not a number, if they last a tenth of a second in all (CODE-15%).

    Args:
        signal: (leads, samples).
        sampling_rate: Hz.

    Returns:
        A view without the padding, and whether anything was cut.

    Raises:
        RecordError: "flat signal" where there is nothing else.
    """
    ends = np.abs(signal[:, :: max(1, signal.shape[1] - 1)]) > 0  # False for zero and for NaN
    if ends.any(axis=0).all():
        return signal, False
    present = np.flatnonzero((np.abs(signal) > 0).any(axis=0))
    if len(present) == 0:
        raise RecordError("flat signal: all samples are zero or missing")
    start, stop = int(present[0]), int(present[-1]) + 1
    if signal.shape[1] - (stop - start) < _LEAST_PADDING * sampling_rate:
        return signal, False
    return signal[:, start:stop], True


def fill_missing(signal: Signal, missing: Collection[str] = (), incomplete: bool = False) -> tuple[Signal, list[str]]:
    """Interpolates samples that are not finite; a lead of which most samples are not finite counts as absent.

    Args:
        signal: (12, samples) in the order of `LEADS`.
        missing: leads that are zero because the recording lacks them.
        incomplete: whether it may lack limb leads that cannot be derived.

    Returns:
        A new (12, samples) signal, and flags.

    Raises:
        RecordError: "too many missing samples", or "missing limb leads".
    """
    finite = np.isfinite(signal)
    shares = 1 - finite.mean(axis=1)
    present = (shares <= _MISSING_LEAD) & np.array([lead not in missing for lead in LEADS])
    share = float(shares[present].mean()) if present.any() else 1.0
    if share > _MISSING_SHARE:
        raise RecordError(f"too many missing samples: {100 * share:.0f} % are not numbers")
    names = [lead for lead, is_present in zip(LEADS, present.tolist(), strict=True) if is_present]
    signal, flags = standard_leads(signal[present], names, incomplete)
    signal = signal.copy()
    for lead in np.flatnonzero(~np.isfinite(signal).all(axis=1)):
        is_number = np.isfinite(signal[lead])
        samples = np.arange(signal.shape[1])
        signal[lead, ~is_number] = np.interp(samples[~is_number], samples[is_number], signal[lead, is_number])
    filled = [lead for lead, part in zip(LEADS, shares, strict=True) if 0 < part <= _MISSING_LEAD]
    return signal, [*(f"nan_filled:{lead}" for lead in filled), *flags]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]  # np.median takes forty times as long for twelve numbers


def _typical_range(signal: Signal) -> float:
    """Median peak to peak of the leads without their extreme half percents, so that no spike decides on a unit."""
    low, high = np.percentile(signal, [0.5, 99.5], axis=1)
    return float(np.median(high - low))


def _saturated(signal: Signal, low: NDArray[np.float32], high: NDArray[np.float32], sampling_rate: float) -> list[int]:
    """Rows that stay at an extreme of 2 mV or more for 30 ms, return to the extreme for 8 ms three times, or reach ±32.767 mV."""
    long = max(3, round(_SATURATION_TIME * sampling_rate))
    short = max(2, round(_PLATEAU_TIME * sampling_rate))
    fewest = min(long, _PLATEAUS * short)
    saturated = set()
    for extreme in (low, high):
        at = signal == extreme[:, None]
        rare = (
            np.count_nonzero(at) < len(at) + fewest - 1
        )  # so few that no lead is there often, since every lead reaches its extreme once
        for lead, size in enumerate(map(abs, extreme.tolist())):
            if size >= _LIMIT:
                saturated.add(lead)
            elif not rare and size >= _PLATEAU_EXTREME and np.count_nonzero(at[lead]) >= fewest:
                lasting = _runs(at[lead])
                stays = size >= _SATURATION and lasting.max() >= long
                if stays or np.count_nonzero(lasting >= short) >= _PLATEAUS:
                    saturated.add(lead)
    return sorted(saturated)


def _runs(at: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(at, prepend=False, append=False))
    return edges[1::2] - edges[::2]


def _looks_swapped(signal: Signal, sampling_rate: float) -> bool:
    """Whether the slopes of I or II run against those of V6, which looks at the heart from the same side.

    Left and right arm exchanged turn lead I upside down; right arm and left leg turn II, and aVR upright. Slopes over
    10 ms weigh the QRS complex and ignore the baseline. On PTB-XL the first fires for none of 1,237 normal and 6 of
    2,572 recordings (paced, bifascicular blocks, right axis), and for 97 % of the normal ones after their arms are
    exchanged; the second for none, and for 86 % of the normal ones after the exchange.
    """
    lag = max(1, round(_SWAP_SLOPE_TIME * sampling_rate))
    six = signal[11, lag:] - signal[11, :-lag]
    norm = float(six @ six) ** 0.5

    def likeness(lead: int) -> float:
        slope = signal[lead, lag:] - signal[lead, :-lag]
        size = norm * float(slope @ slope) ** 0.5
        return float(slope @ six) / size if size > 0 else 0.0

    if likeness(0) < _SWAP_CORRELATION:
        return True
    return _ONE_SOURCE < likeness(1) < _SWAP_OF_LEG and likeness(3) > _SWAP_UPRIGHT
