"""Leads of any spelling and order, brought to the standard twelve."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ecg_lightning.records.record import LEADS, RecordError, Signal

# What stands before a lead's own name: "lead I", "ECG_V1", "EKG-V1", "Ableitung I", "MDC_ECG_LEAD_AVR" (ISO 11073), "DI"
# and "DII" in Latin America and France, "C1" for V1 in German and Russian devices.
_PREFIX = re.compile(r"(mdc_?)?(e[ck]g_?)?((lead|ableitung|abl)_?)?", re.IGNORECASE)
_BLANK = re.compile(r"(?<=\w)[\s.-]+")  # within a name; a minus before it means the inverted lead, which is none
_SHOWN = 15  # names in a message
_LEAD_OF = (
    {lead.casefold(): lead for lead in LEADS}
    | {f"d{lead.casefold()}": lead for lead in LEADS[:3]}
    | {f"c{number}": f"V{number}" for number in range(1, 7)}
)
# Einthoven: I + III = II. What each of the three is in terms of the two others.
_EINTHOVEN = {"I": (("II", 1.0), ("III", -1.0)), "II": (("I", 1.0), ("III", 1.0)), "III": (("II", 1.0), ("I", -1.0))}
# Goldberger's augmented leads in terms of I and II.
_GOLDBERGER = {"aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}


@dataclass(frozen=True)
class _Plan:
    """Rows to take, per target lead, and what is left to compute."""

    targets: tuple[int, ...]
    rows: tuple[int, ...]
    missing: tuple[str, ...]
    flags: tuple[str, ...]


@lru_cache(maxsize=1024)
def lead_name(name: str) -> str:
    """The standard name of a lead however it is spelled; "" where it is none of the twelve.

    >>> [lead_name(name) for name in ("AVR", "lead II", "v3", "MDC_ECG_LEAD_aVF", "vx")]
    ['aVR', 'II', 'V3', 'aVF', '']
    """
    bare = _BLANK.sub("_", name.strip())
    return _LEAD_OF.get(_PREFIX.sub("", bare, count=1).casefold(), "")


@lru_cache(maxsize=256)
def _plan(names: tuple[str, ...]) -> _Plan:
    found = [lead_name(name) for name in names]
    known = [lead for lead in found if lead]
    if len(set(known)) < len(known):
        twice = sorted({lead for lead in known if known.count(lead) > 1})
        raise RecordError(f"ambiguous leads: {', '.join(twice)} more than once in {', '.join(names)}")
    if len({"I", "II", "III"} & set(known)) < 2:
        raise RecordError(f"missing limb leads: two of I, II and III are needed, found {', '.join(names) or 'none'}")
    missing = tuple(lead for lead in LEADS if lead not in known)
    flags = ("limb_leads_derived",) * any(lead in LEADS[:6] for lead in missing)
    flags += tuple(f"missing:{lead}" for lead in missing if lead in LEADS[6:])
    flags += ("extra_leads_dropped",) * (len(known) < len(found))
    targets = tuple(i for i, lead in enumerate(LEADS) if lead in known)
    return _Plan(targets, tuple(found.index(LEADS[i]) for i in targets), missing, flags)


def agreed_leads(found: Sequence[str], given: Sequence[str] | None, found_wins: bool = False) -> Sequence[str]:
    """The names of leads, where a file says some (or nothing that is a lead's name) and its reader may be told others.

    Args:
        found: the file's, none of them known where it is silent.
        given: what its reader was told.
        found_wins: the file's count where both are known and differ.

    Raises:
        RecordError: "contradictory leads"; or "unknown lead names", where nothing is known.
    """
    if given is None:
        if found and not any(map(lead_name, found)):
            raise RecordError(
                f"unknown lead names: {listed([name for name in found if name]) or 'none'}; say what they are: data.file_leads, --leads"
            )
        return found
    known = [lead_name(name) for name in found]
    if not any(known):
        return given
    if not found_wins and known != [lead_name(name) for name in given]:
        raise RecordError(f"contradictory leads: the file says {listed(found)}, expected {listed(given)}")
    return found


def listed(names: Sequence[str]) -> str:
    """The first of some names, for a message."""
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


def standard_leads(signal: NDArray[np.floating], names: Sequence[str]) -> tuple[Signal, tuple[str, ...]]:
    """Bring leads of any order and spelling to the standard twelve.

    Limb leads that are absent are derived: two of I, II and III give the third (Einthoven), I and II give aVR, aVL and
    aVF (Goldberger). Precordial leads that are absent are zero. Other leads (Frank's VX VY VZ, a pulse …) are dropped.

    Args:
        signal: (leads, samples), any unit.
        names: one a row.

    Returns:
        (12, samples) in the order of `LEADS`, and flags: "limb_leads_derived", "missing:V3", "extra_leads_dropped".

    Raises:
        RecordError: fewer than two of I, II and III, one lead twice, or not one name a row.
    """
    if len(names) != len(signal):
        raise RecordError(f"wrong number of leads: {len(names)} names ({listed(names)}) for {len(signal)} leads")
    plan = _plan(tuple(names))
    if plan.rows == tuple(range(len(LEADS))) and len(signal) == len(LEADS):
        return signal.astype(np.float32, copy=False), plan.flags
    standard = np.zeros((len(LEADS), signal.shape[1]), np.float32)
    standard[list(plan.targets)] = signal[list(plan.rows)]
    derive_limb_leads(standard, plan.missing)
    return standard, plan.flags


def derive_limb_leads(signal: Signal, missing: Sequence[str]) -> None:
    """Compute the limb leads among `missing` in place; at most one of I, II and III may be missing."""
    row = {lead: signal[i] for i, lead in enumerate(LEADS)}
    for lead in missing:
        if lead in _EINTHOVEN:
            (first, a), (second, b) = _EINTHOVEN[lead]
            row[lead][:] = a * row[first] + b * row[second]
    for lead in missing:
        if lead in _GOLDBERGER:
            a, b = _GOLDBERGER[lead]
            row[lead][:] = a * row["I"] + b * row["II"]
