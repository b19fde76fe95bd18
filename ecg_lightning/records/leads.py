"""Leads of any spelling and order, brought to the standard twelve."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.record import LEADS, RecordError, Signal

_APART = r"[\s_.-]*"
# A lead as devices write it. Before its own name: "lead I", "ECG_V1", "Ableitung I", "MDC_ECG_LEAD_AVR" (ISO 11073). The
# name: "V1", "V 1", "V01"; "C1" for V1 in German and Russian devices; "DI" and "D1" for I in Latin America and France.
# Behind it the reference ("V1-REF") or the author ("Lead I (Einthoven)", DICOM). Blanks within "I I" or "I-II" join
# nothing: these are other leads, like "-aVR", V3R, V7 and X.
_LEAD = re.compile(
    rf"(?:mdc{_APART})?(?:e[ck]g{_APART})?"
    rf"(?:(?:lead|ableitung|abl|d[eé]riva\w+|avleding){_APART}|(?:channel|chan|ch|kanal|canal)[\s_.-]+)?"
    rf"(?:(?P<limb>i{{1,3}})|d{_APART}(?P<d>i{{1,3}}|[123])|a{_APART}v{_APART}(?P<augmented>[rlf])"
    rf"|(?:v{_APART}|c)0?(?P<precordial>[1-6]))"
    rf"(?:{_APART}/?ref|{_APART}\((?:einthoven|goldberger|wilson|ref)\)|, augmented voltage, (?:right|left|foot))?",
    re.IGNORECASE,
)
# Names that certainly are no standard leads: Frank's and other electrodes, Holter leads, other signals.
_OTHER = re.compile(
    r"-.*|(?:(?:lead|ecg|mdc_ecg_lead)[\s_.-]*)?(?:v?[xyz]|v[3-9]r|v[7-9]|mli{1,3}|ml\d|mv\d|m?cl\d|es|as|ai)"
    r"|.*\b(?:resp|pleth|ppg|pulse|spo2|sao2|co2|etco2|flow|press|abp|art\b|cvp|pap\b|icp|emg|eeg|eog|temp|acc|imp"
    r"|time|marker|event|annot|label|trigger|pace|status|quality).*",
    re.IGNORECASE,
)
_SHOWN = 15  # names in a message
_NUMBERS = ("I", "II", "III")
# Einthoven: I + III = II. What each of the three is in terms of the two others.
_EINTHOVEN = {"I": (("II", 1.0), ("III", -1.0)), "II": (("I", 1.0), ("III", 1.0)), "III": (("II", 1.0), ("I", -1.0))}
# Goldberger's augmented leads in terms of I and II.
GOLDBERGER = {"aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}

INDEPENDENT = ("I", "II", *LEADS[6:])
"""The eight leads that a recording needs; the other four follow from I and II."""
FROM_INDEPENDENT: NDArray[np.float32] = np.zeros((12, 8), np.float32)
"""(12, 8) all twelve leads from the independent ones."""
FROM_INDEPENDENT[:6, :2] = [(1, 0), (0, 1), (-1, 1), *GOLDBERGER.values()]
FROM_INDEPENDENT[6:, 2:] = np.eye(6)

FROM_ELECTRODES: NDArray[np.float32] = np.zeros((12, 9), np.float32)
"""(12, 9) all twelve leads from the potentials at RA, LA, LL and V1 … V6."""
FROM_ELECTRODES[:6, :3] = FROM_INDEPENDENT[:6, :2] @ np.array([[-1, 1, 0], [-1, 0, 1]], np.float32)
FROM_ELECTRODES[6:, :3] = -1 / 3  # Wilson's terminal, against which the chest leads are measured
FROM_ELECTRODES[6:, 3:] = np.eye(6)

DOWER: NDArray[np.float32] = np.array(
    [
        [0.632, -0.235, 0.059], [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917], [0.044, 0.164, -1.387], [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601], [1.125, 0.127, -0.086], [0.831, 0.076, 0.230],
    ],
    np.float32,
)  # fmt: skip
"""(8, 3) the independent leads from the dipole of the heart: X to the left, Y to the feet, Z to the back (Dower 1980)."""


@dataclass(frozen=True)
class _Plan:
    """How to bring rows to the standard order: the row of each target lead, and the limb leads to derive; the rest is 0."""

    targets: tuple[int, ...]
    rows: tuple[int, ...]
    derived: tuple[str, ...]
    flags: tuple[str, ...]


@lru_cache(maxsize=1024)
def lead_name(name: str) -> str:
    """The standard name of a lead in any spelling; "" for any other name.

    >>> [lead_name(name) for name in ("AVR", "lead II", "v3", "MDC_ECG_LEAD_aVF", "vx")]
    ['aVR', 'II', 'V3', 'aVF', '']
    """
    match = _LEAD.fullmatch(unicodedata.normalize("NFKC", name).strip(" \t\"'"))
    if match is None:
        return ""
    limb, d, augmented, precordial = match.groups()
    if precordial:
        return f"V{precordial}"
    if augmented:
        return f"aV{augmented.upper()}"
    limb = limb or d
    return _NUMBERS[int(limb) - 1] if limb.isdecimal() else limb.upper()


def is_other(name: str) -> bool:
    """Whether a name certainly belongs to something other than a standard lead."""
    return _OTHER.fullmatch(name.strip()) is not None


@lru_cache(maxsize=256)
def _plan(names: tuple[str, ...], incomplete: bool) -> _Plan:
    standard_names = [lead_name(name) for name in names]
    standard = [lead for lead in standard_names if lead]
    if len(set(standard)) < len(standard):
        repeated = sorted({lead for lead in standard if standard.count(lead) > 1})
        raise RecordError(f"ambiguous leads: {', '.join(repeated)} more than once in {', '.join(names)}")
    has_limb_leads = len({"I", "II", "III"} & set(standard)) >= 2
    if not has_limb_leads and not (incomplete and standard):
        raise RecordError(f"missing limb leads: two of I, II and III are needed, found {', '.join(names) or 'none'}")
    missing = tuple(lead for lead in LEADS if lead not in standard)
    zero = [lead for lead in missing if lead in LEADS[6:] or not has_limb_leads]
    unknown = [name for name in names if not lead_name(name) and not is_other(name)]
    if unknown and zero and (len(unknown) >= len(zero) or not has_limb_leads):
        raise RecordError(
            f"unknown lead names: {listed(unknown)}; and {listed(zero)} are missing. If the unknown names are the "
            "missing leads, give the names of all leads: data.file_leads or --leads"
        )
    derived = tuple(lead for lead in missing if lead not in zero)
    flags = ("limb_leads_derived",) * bool(derived) + tuple(f"missing:{lead}" for lead in zero)
    flags += ("extra_leads_dropped",) * (len(standard) < len(standard_names))
    targets = tuple(i for i, lead in enumerate(LEADS) if lead in standard)
    return _Plan(targets, tuple(standard_names.index(LEADS[i]) for i in targets), derived, flags)


def _agree(name: str, expected: str) -> bool:
    """Whether the name in a file may stand for the standard lead that the caller expects ("" for no lead)."""
    return lead_name(name) == expected or (not lead_name(name) and not is_other(name))


def agreed_leads(
    file_names: Sequence[str], reader_names: Sequence[str] | None, file_wins: bool = False
) -> Sequence[str]:
    """The names of the rows of a file, by the file itself and by the caller, which must agree.

    Args:
        file_names: the names in the file; none of them is a lead's where the file does not say its leads.
        reader_names: the names that the caller gave, if any; they also name rows whose names in the file are unknown.
        file_wins: whether the names in the file count where both are leads and differ.

    Raises:
        RecordError: "contradictory leads"; or "unknown lead names", where neither names a lead.
    """
    file_leads = [lead_name(name) for name in file_names]
    if reader_names is None:
        if file_names and not any(file_leads):
            raise RecordError(
                f"unknown lead names: {listed([name for name in file_names if name]) or 'none'}; give the names of the leads: "
                "data.file_leads or --leads"
            )
        return file_names
    if not any(file_leads):
        return reader_names
    reader_leads = [lead_name(name) for name in reader_names]
    if len(file_leads) == len(reader_leads) and all(map(_agree, file_names, reader_leads)):
        return reader_names
    if not file_wins:
        raise RecordError(f"contradictory leads: the file says {listed(file_names)}, expected {listed(reader_names)}")
    return file_names


def listed(names: Sequence[str]) -> str:
    """The first of some names as one text, for a message."""
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


def standard_leads(
    signal: NDArray[np.floating], names: Sequence[str], incomplete: bool = False
) -> tuple[Signal, tuple[str, ...]]:
    """Brings leads of any order and spelling to the standard twelve.

    Limb leads that are absent are derived: two of I, II and III give the third (Einthoven), I and II give aVR, aVL and
    aVF (Goldberger). Precordial leads that are absent are zero. Other leads (Frank's VX VY VZ, a pulse …) are dropped.

    Args:
        signal: (leads, samples), any unit.
        names: one for each row.
        incomplete: whether fewer than two of I, II and III are enough. Then no limb lead can be derived, and those that are
            absent are zero.

    Returns:
        (12, samples) in the order of `LEADS`, and flags: "limb_leads_derived", "missing:V3", "extra_leads_dropped".

    Raises:
        RecordError: where fewer than two of I, II and III are there and that is not enough, a lead occurs twice, or the number of names differs
            from the number of rows.
    """
    if len(names) != len(signal):
        raise RecordError(f"wrong number of leads: {len(names)} names ({listed(names)}) for {len(signal)} leads")
    plan = _plan(tuple(names), incomplete)
    if plan.rows == tuple(range(len(LEADS))) and len(signal) == len(LEADS):
        return signal.astype(np.float32, copy=False), plan.flags
    standard = np.zeros((len(LEADS), signal.shape[1]), np.float32)
    standard[list(plan.targets)] = signal[list(plan.rows)]
    derive_limb_leads(standard, plan.derived)
    return standard, plan.flags


def derive_limb_leads(signal: Signal, missing: Sequence[str]) -> None:
    """Computes the limb leads among `missing` in place; at most one of I, II and III may be missing."""
    row = {lead: signal[i] for i, lead in enumerate(LEADS)}
    for lead in missing:
        if lead in _EINTHOVEN:
            (first, a), (second, b) = _EINTHOVEN[lead]
            row[lead][:] = a * row[first] + b * row[second]
    for lead in missing:
        if lead in GOLDBERGER:
            a, b = GOLDBERGER[lead]
            row[lead][:] = a * row["I"] + b * row["II"]
