"""Whether rows stand in the order that they are taken for: four of the limb leads follow from two.

III = II − I (Einthoven); aVR = −(I + II) / 2, aVL = I − II / 2 and aVF = II − I / 2 (Goldberger). All four hold for one
choice of rows alone, so that the rows themselves prove which are the limb leads. The precordial leads prove nothing of
themselves. Slopes over 10 ms are compared, since leads of one recording may have other baselines and filters.

Measured on 3,319 recordings of twelve archives: the order as it is was proven for all but five (of CODE-15%, which are
flagged), and of eight other orders that programs write none was taken for the standard one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.leads import GOLDBERGER, lead_name, listed
from ecg_lightning.records.record import LEADS, RecordError, Signal

ORDER_ASSUMED, DISAGREE = "lead_order_assumed", "suspect:limb_leads_disagree"
NO_SAMPLE = 1e9  # mV: beyond a thousand kilovolts is a program's mark of a sample that is not there (1e20, 9.97e36)
_LIMB = LEADS[:6]
_PRINTED = ("I", "aVR", "V1", "V4", "II", "aVL", "V2", "V5", "III", "aVF", "V3", "V6")  # three lines of four
_FLAT = 0.01  # mV peak to peak: ten steps of the store
_LAG = 0.01  # s
# What a relation leaves, as a share of the energy of its leads. In the 3,319 recordings: median 5e-5, 99 % below 2e-3,
# the worst 0.066. After an exchange of two limb leads 99 % and more are beyond 0.1, the rest have a lead near zero.
_FITS = 0.1
_ROUNDING = 1e-4  # of steps of 5 µV
_CLEARLY = 10.0  # times the residual of the best choice of rows, below which another one could be meant too
_RELATIONS = {"III": (-1.0, 1.0)} | GOLDBERGER
"""Each lead that follows, as shares of I and of II."""


def limb_leads_disagree(signal: Signal, sampling_rate: float) -> bool:
    """Whether one of the four relations fails among leads that are not flat.

    Args:
        signal: (12, samples) millivolts in the order of `LEADS`.
        sampling_rate: Hz.
    """
    slopes = _slopes(signal[:6], sampling_rate)
    products = slopes @ slopes.T
    energies = np.diag(products)
    for lead, (a, b) in _RELATIONS.items():
        place = _LIMB.index(lead)
        shares = np.zeros(6)
        shares[[0, 1, place]] = a, b, -1
        energy = shares**2 @ energies
        if energy > 0 and shares @ products @ shares > _FITS * energy:
            return bool((np.ptp(signal[[0, 1, place]], axis=1) >= _FLAT).all())
    return False


def check_order(
    signal: NDArray[np.floating], sampling_rate: float, names: Sequence[str], told: bool
) -> tuple[str, ...]:
    """Compares the order of rows without names with what their limb leads prove.

    Args:
        signal: (leads, samples) millivolts.
        sampling_rate: Hz.
        names: what the rows are taken for.
        told: whether a user or an archive says so; then only another order that fits is a contradiction.

    Returns:
        ("lead_order_assumed",) where nothing is proven, since limb leads are absent, flat, or fit in other orders too.

    Raises:
        RecordError: "contradictory lead order", with the one that fits where there is one.
    """
    taken = [lead_name(name) for name in names]
    if not set(_LIMB) <= set(taken):
        return (ORDER_ASSUMED,)
    expected = tuple(taken.index(lead) for lead in _LIMB)
    signal = np.where(np.abs(signal) <= NO_SAMPLE, signal, np.nan)
    moving = np.fmax.reduce(signal, axis=1) - np.fmin.reduce(signal, axis=1) >= _FLAT
    residuals = _residuals(signal, sampling_rate, moving)
    as_is = max(residuals[(place, *expected[:2], expected[2 + place])] for place in range(len(_RELATIONS)))
    best, residual, next_residual = _best_rows(residuals)
    proven = residual < _FITS and next_residual > _CLEARLY * max(residual, _ROUNDING) and len(set(best)) == len(best)
    if proven and best == expected:
        return ()
    found = "its rows" if told else "it names no leads, and its rows"
    wrong = f"contradictory lead order: {found} are not {listed(names)}, since they do not obey III = II − I"
    wrong += " and aVR, aVL, aVF = −(I + II) / 2, I − II / 2, II − I / 2"
    if proven and as_is > _CLEARLY * max(residual, _ROUNDING):
        order = ",".join(_order(best, taken))
        raise RecordError(
            f"{wrong}; they do as {order}; if that is right, say so by data.file_leads or --leads {order}"
        )
    if as_is < _FITS or not moving[list(expected)].all():
        return (ORDER_ASSUMED,)
    if told:
        return ()  # flagged where it is repaired, as any other recording whose limb leads disagree
    raise RecordError(f"{wrong}; say what they are by data.file_leads or --leads")


def _order(limb: tuple[int, ...], taken: Sequence[str]) -> Sequence[str]:
    """The names of all rows, where the limb leads are the given ones; the others keep their order, or a printout's."""
    if limb == tuple(_PRINTED.index(lead) for lead in _LIMB):
        return _PRINTED
    others = iter([name for name in taken if name not in _LIMB])
    return [_LIMB[limb.index(row)] if row in limb else next(others) for row in range(len(taken))]


def _best_rows(residuals: NDArray[np.float64]) -> tuple[tuple[int, ...], float, float]:
    """The rows that fit best as the six limb leads, the worst residual among their relations, and that of the next choice."""
    ordered = np.sort(residuals, axis=-1)
    best, second = ordered[..., 0], ordered[..., 1]
    worst = best.max(axis=0)
    one, two = divmod(int(worst.argmin()), worst.shape[1])
    rows = (one, two, *residuals[:, one, two].argmin(axis=-1).tolist())
    residual = float(worst[one, two])
    # Another choice is another pair for I and II, or the second-best row for one of the four.
    other_pair = float(np.partition(worst, 1, axis=None)[1])
    return rows, residual, min(other_pair, max(residual, float(second[:, one, two].min())))


def _residuals(signal: NDArray[np.floating], sampling_rate: float, moving: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What each relation leaves for every choice of rows: (relation, row as I, row as II, row that follows).

    A flat row, or one row as two leads, is no choice: infinite.
    """
    slopes = _slopes(signal, sampling_rate)
    products = slopes @ slopes.T
    energy = np.diag(products)
    rows = np.arange(len(signal))
    one, two, three = rows[:, None, None], rows[None, :, None], rows[None, None, :]
    no_choice = (one == two) | (two == three) | (one == three)
    no_choice |= ~(moving[one] & moving[two] & moving[three])
    residuals = np.empty((len(_RELATIONS), *no_choice.shape))
    for place, (a, b) in enumerate(_RELATIONS.values()):
        whole = a**2 * energy[one] + b**2 * energy[two] + energy[three]
        cross = a * b * products[one, two] - a * products[one, three] - b * products[two, three]
        residuals[place] = np.divide(np.maximum(whole + 2 * cross, 0), whole, where=whole > 0, out=np.ones_like(whole))
    residuals[:, no_choice] = np.inf
    return residuals


def _slopes(signal: NDArray[np.floating], sampling_rate: float) -> NDArray[np.float64]:
    """Differences over 10 ms where all leads have numbers."""
    points = signal[:, :: max(1, round(_LAG * sampling_rate))].astype(np.float64)
    slopes = points[:, 1:] - points[:, :-1]
    finite = np.isfinite(slopes).all(axis=0)
    return slopes if finite.all() else slopes[:, finite]
