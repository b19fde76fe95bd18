"""Decisions at a threshold, a record being positive where score >= threshold, and the choice of that threshold."""

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecg_lightning.metrics.pairs import Floats, annotated_terms, checked
from ecg_lightning.metrics.ranking import cumulative_counts

Objective = Literal["paper", "youden", "gmean", "fbeta", "sensitivity", "specificity"]


class Confusion(NamedTuple):
    """Numbers of annotated records, each (terms,); of weighted records each (terms, resamples), and floats."""

    true_positive: NDArray[Any]
    false_positive: NDArray[Any]
    true_negative: NDArray[Any]
    false_negative: NDArray[Any]


def confusion(scores: ArrayLike, targets: ArrayLike, thresholds: ArrayLike) -> Confusion:
    """Counts the four outcomes of each term.

    Args:
        scores: probabilities or logits, (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        thresholds: on the scale of the scores, one for all terms or (terms,); of a term with NaN nothing is
            decided, and nothing is counted.

    Raises:
        ValueError: on other shapes.
    """
    scores, targets = checked(scores, targets)
    thresholds = np.asarray(thresholds, np.float64)
    if thresholds.shape not in ((), targets.shape[1:]):
        raise ValueError(f"thresholds are {thresholds}: give one number, or one for each of {targets.shape[1]} terms")
    above, below = scores >= thresholds, scores < thresholds
    outcomes = above & (targets == 1), above & (targets == 0), below & (targets == 0), below & (targets == 1)
    return Confusion(*(np.count_nonzero(outcome, axis=0).astype(np.int64) for outcome in outcomes))


def rates(counts: Confusion) -> dict[str, Floats]:
    """Computes sensitivity, specificity, PPV, NPV, G-mean, F1 and F2, in the shape of the counts.

    NaN where a rate is not defined: sensitivity, PPV, F1 and F2 of a term without a positive, specificity and NPV
    without a negative, G-mean without either, and PPV (NPV) where no record was called positive (negative).
    """
    hits, alarms, rejections, misses = counts
    present, absent = hits + misses > 0, rejections + alarms > 0
    sensitivity, specificity = _ratio(hits, hits + misses), _ratio(rejections, rejections + alarms)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": np.where(present, _ratio(hits, hits + alarms), np.nan),
        "npv": np.where(absent, _ratio(rejections, rejections + misses), np.nan),
        "gmean": np.sqrt(sensitivity * specificity),
        "f1": fbeta(counts, 1),
        "f2": fbeta(counts, 2),
    }


def fbeta(counts: Confusion, beta: float) -> Floats:
    """Computes F-beta, in the shape of the counts: sensitivity counts `beta` times as much as PPV; NaN without a positive."""
    hits, alarms, _, misses = counts
    doubled = (1 + beta**2) * hits
    return np.where(hits + misses > 0, _ratio(doubled, doubled + beta**2 * misses + alarms), np.nan)


def operating_point(scores: ArrayLike, targets: ArrayLike, thresholds: ArrayLike) -> dict[str, Floats]:
    """Computes the `rates` of each term at its threshold, each (terms,); arguments as of `confusion`."""
    return rates(confusion(scores, targets, thresholds))


def choose_thresholds(
    scores: ArrayLike,
    targets: ArrayLike,
    objective: Objective = "paper",
    *,
    beta: float = 1,
    level: float = 0.9,
    fallback: float = 0.5,
) -> Floats:
    """Chooses the best threshold of each term on these records (validation, never test).

    Every threshold that separates two distinct scores is tried, not a grid. The result lies half-way between the two
    scores. Of equally good thresholds the highest is chosen.

    Args:
        scores: probabilities or logits, (records, terms).
        targets: 1, 0, or NaN where not annotated, (records, terms).
        objective: `paper` maximises 0.8 G-mean + 0.2 F1 (Avetisyan et al., arXiv 2305.18592); `fbeta`, `gmean` and
            `youden` (sensitivity + specificity - 1) themselves; `sensitivity` reaches `level` of it with the best
            specificity, and `specificity` the other way round.
        beta: of `fbeta`.
        level: the sensitivity or specificity to reach.
        fallback: the threshold of a term without a positive or a negative: 0.5 of a probability (0 of a logit).

    Returns:
        (terms,), to be compared with scores in float64.

    Raises:
        ValueError: on an unknown objective, a level outside of 0 to 1, and further errors as of `auroc`.
    """
    if objective not in get_args(Objective):
        raise ValueError(f"objective is {objective!r}: choose one of {', '.join(get_args(Objective))}")
    if not 0 <= level <= 1:
        raise ValueError(f"level is {level}: a sensitivity or specificity lies between 0 and 1")
    scores, targets = checked(scores, targets)
    thresholds = np.full(targets.shape[1], fallback, np.float64)
    for term, column, positive in annotated_terms(scores, targets):
        levels, hits, alarms = cumulative_counts(column, positive)
        hits, alarms = np.append(0, hits), np.append(0, alarms)  # first, a threshold above every score
        counts = Confusion(hits, alarms, alarms[-1] - alarms, hits[-1] - hits)
        values = fbeta(counts, beta) if objective == "fbeta" else _value(rates(counts), objective, level)
        thresholds[term] = _between(levels, int(np.argmax(values)))
    return thresholds


def _value(at: dict[str, Floats], objective: Objective, level: float) -> Floats:
    sensitivity, specificity = at["sensitivity"], at["specificity"]
    match objective:
        case "paper":
            return 0.8 * at["gmean"] + 0.2 * at["f1"]
        case "youden":
            return sensitivity + specificity
        case "sensitivity":
            return np.where(sensitivity >= level, specificity, -1)
        case "specificity":
            return np.where(specificity >= level, sensitivity, -1)
        case _:
            return at[objective]


def _between(levels: Floats, called: int) -> float:
    """Returns a threshold at which the `called` highest of the descending levels (levels,) are positive, and no other."""
    if called == 0:
        return float(np.nextafter(levels[0], np.inf))
    lowest = float(levels[called - 1])
    if called == levels.size:
        return lowest
    middle = lowest / 2 + float(levels[called]) / 2
    has_middle = levels[called] < middle <= lowest  # not so for neighbouring floats, and for infinities
    return middle if has_middle else lowest


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    with np.errstate(invalid="ignore"):  # 0/0 is NaN
        ratio: Floats = np.true_divide(numerator, denominator)
    return ratio
