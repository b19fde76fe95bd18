"""Whether rows stand in the order that they are taken for: four of the limb leads follow from two.

III = II − I (Einthoven); aVR = −(I + II) / 2, aVL = I − II / 2 and aVF = II − I / 2 (Goldberger). All four hold for one
choice of rows alone, so that the rows themselves prove which are the limb leads. The precordial leads prove nothing of
themselves. Slopes over 10 ms are compared, since leads of one recording may have other baselines and filters.

Measured on 3,319 recordings of twelve archives: the order as it is was proven for all but five (of CODE-15%, which are
flagged), and of eight other orders that programs write none was taken for the standard one.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.leads import GOLDBERGER, lead_name, listed
from ecg_lightning.records.record import LEADS, RecordError, Signal

ORDER_ASSUMED, DISAGREE = "lead_order_assumed", "suspect:limb_leads_disagree"
NO_SAMPLE = 1e9  # mV: beyond a thousand kilovolts is a program's mark of a sample that is not there (1e20, 9.97e36)
_LIMB = LEADS[:6]
_PRINTED = ("I", "aVR", "V1", "V4", "II", "aVL", "V2", "V5", "III", "aVF", "V3", "V6")  # three lines of four
_FLAT = 0.01  # mV peak to peak: ten units of the store
_LAG = 0.01  # s
# What a relation leaves, as a share of the energy of its leads. In the 3,319 recordings: median 5e-5, 99 % below 2e-3,
# the worst 0.066. After an exchange of two limb leads 99 % and more are beyond 0.1, the rest have a lead near zero.
_FITS = 0.1
_ROUNDING = 1e-4  # of steps of 5 µV
_CLEARLY = 10.0  # times the residual of the best choice of rows, below which another one could be meant too
_RELATIONS = {"III": (-1.0, 1.0)} | GOLDBERGER
"""Each lead that follows, as shares of I and of II."""
_SHARES = np.zeros((len(_RELATIONS), len(_LIMB)))
"""(relation, limb lead) what is zero where the relation holds: its shares of I and II, less the lead that follows."""
for _relation, (_lead, _of_one_and_two) in enumerate(_RELATIONS.items()):
    _SHARES[_relation, :2] = _of_one_and_two
    _SHARES[_relation, _LIMB.index(_lead)] = -1


def limb_leads_disagree(signal: Signal, sampling_rate: float) -> bool:
    """Whether one of the four relations fails among leads that are not flat.

    Args:
        signal: (12, samples) millivolts in the order of `LEADS`, every sample finite.
        sampling_rate: Hz.
    """
    slopes = _slopes(signal[:6], sampling_rate)
    products = slopes @ slopes.T
    residuals = ((_SHARES @ products) * _SHARES).sum(axis=1)
    fails = residuals > _FITS * (_SHARES**2 @ products.diagonal())
    if not fails.any():
        return False
    leads = signal[np.flatnonzero(_SHARES[fails.argmax()])]
    return bool((np.ptp(leads, axis=1) >= _FLAT).all())


def check_order(
    signal: NDArray[np.floating], sampling_rate: float, names: Sequence[str], names_stated: bool
) -> tuple[str, ...]:
    """Compares the order of rows without names with the order that their limb leads prove.

    Args:
        signal: (leads, samples) millivolts.
        sampling_rate: Hz.
        names: the lead for which each row is taken.
        names_stated: whether a user or an archive states these names; then only another order that fits is a contradiction.

    Returns:
        ("lead_order_assumed",) where nothing is proven, since limb leads are absent, flat, or fit in other orders too.

    Raises:
        RecordError: "contradictory lead order", with the order that fits where there is one.
    """
    leads = [lead_name(name) for name in names]
    if not set(_LIMB) <= set(leads):
        return (ORDER_ASSUMED,)
    expected = tuple(leads.index(lead) for lead in _LIMB)
    signal, ranges = _with_ranges(signal)
    moving = ranges >= _FLAT
    residuals = _residuals(signal, sampling_rate, moving)
    as_is = max(residuals[(place, *expected[:2], expected[2 + place])] for place in range(len(_RELATIONS)))
    best, residual, next_residual = _best_rows(residuals)
    proven = residual < _FITS and next_residual > _CLEARLY * max(residual, _ROUNDING) and len(set(best)) == len(best)
    if proven and best == expected:
        return ()
    subject = "its rows" if names_stated else "the file names no leads, and its rows"
    wrong = f"contradictory lead order: {subject} are not {listed(names)}, since they do not obey III = II − I"
    wrong += " and aVR, aVL, aVF = −(I + II) / 2, I − II / 2, II − I / 2"
    if proven and as_is > _CLEARLY * max(residual, _ROUNDING):
        order = ",".join(_order(best, leads))
        raise RecordError(
            f"{wrong}. They obey these as {order}. If that is right, say so by data.file_leads or --leads {order}"
        )
    if as_is < _FITS or not moving[list(expected)].all():
        return (ORDER_ASSUMED,)
    if names_stated:
        return ()  # `repair` flags it, as any other recording whose limb leads disagree
    raise RecordError(f"{wrong}. Say what the rows are by data.file_leads or --leads")


def _with_ranges(signal: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """(leads, samples) with NaN where there is no sample, and (leads,) the peak to peak of the samples that there are."""
    low, high = signal.min(axis=1), signal.max(axis=1)
    if not (low.min() >= -NO_SAMPLE and high.max() <= NO_SAMPLE):  # or one of them is NaN
        signal = np.where(np.abs(signal) <= NO_SAMPLE, signal, np.nan)
        low, high = np.fmin.reduce(signal, axis=1), np.fmax.reduce(signal, axis=1)
    return signal, high - low


def _order(limb_rows: tuple[int, ...], leads: Sequence[str]) -> Sequence[str]:
    """The names of all rows, where these rows are the limb leads; the other leads keep their order, or a printout's."""
    if limb_rows == tuple(_PRINTED.index(lead) for lead in _LIMB):
        return _PRINTED
    precordial = iter([lead for lead in leads if lead not in _LIMB])
    return [_LIMB[limb_rows.index(row)] if row in limb_rows else next(precordial) for row in range(len(leads))]


def _best_rows(residuals: NDArray[np.float64]) -> tuple[tuple[int, ...], float, float]:
    """The rows that fit best as the six limb leads, the worst residual among their relations, and that of the next choice."""
    ordered = np.partition(residuals, 1, axis=-1)
    best, second = ordered[..., 0], ordered[..., 1]
    worst = best.max(axis=0)
    one, two = divmod(int(worst.argmin()), worst.shape[1])
    rows = (one, two, *residuals[:, one, two].argmin(axis=-1).tolist())
    residual = float(worst[one, two])
    # The next choice is another pair for I and II, or the second-best row for one of the four leads that follow.
    other_pair = float(np.partition(worst, 1, axis=None)[1])
    return rows, residual, min(other_pair, max(residual, float(second[:, one, two].min())))


def _residuals(signal: NDArray[np.floating], sampling_rate: float, moving: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What each relation leaves for every choice of rows: (relation, row as I, row as II, row that follows).

    A flat row, or one row as two leads, is no choice: infinite.
    """
    slopes = _slopes(signal, sampling_rate)
    products = slopes @ slopes.T
    energy = products.diagonal()
    follows, cross_follows = energy[None, None, :], products[:, None, :]
    residuals = np.empty((len(_RELATIONS), *(len(signal),) * 3))
    for relation, (a, b) in enumerate(_RELATIONS.values()):
        # Sums over two of the rows are made first, since a table of all three is the largest.
        whole = (a**2 * energy[:, None] + b**2 * energy)[..., None] + follows
        cross = (a * b * products)[..., None] - a * cross_follows - b * products
        cross *= 2
        cross += whole
        np.maximum(cross, 0, out=cross)
        np.divide(cross, whole, where=whole > 0, out=residuals[relation])
        residuals[relation][whole <= 0] = 1
    residuals[:, ~_choices(len(signal))] = np.inf
    residuals[:, ~moving] = residuals[:, :, ~moving] = residuals[..., ~moving] = np.inf
    return residuals


@lru_cache(maxsize=16)
def _choices(rows: int) -> NDArray[np.bool_]:
    """(row as I, row as II, row that follows) whether these are three rows."""
    one, two, three = np.ogrid[:rows, :rows, :rows]
    three_rows: NDArray[np.bool_] = (one != two) & (two != three) & (one != three)
    return three_rows


def _slopes(signal: NDArray[np.floating], sampling_rate: float) -> NDArray[np.float64]:
    """(leads, points) differences over 10 ms where all leads have numbers."""
    points = signal[:, :: max(1, round(_LAG * sampling_rate))].astype(np.float64)
    slopes = points[:, 1:] - points[:, :-1]
    if np.isfinite(slopes.sum()):
        return slopes
    return slopes[:, np.isfinite(slopes).all(axis=0)]
