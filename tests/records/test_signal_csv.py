"""Tables of samples as programs write them: whatever stands around the numbers, the same recording is read, or none."""

from pathlib import Path

import numpy as np
import pytest

import fake
from ecg_lightning.records import LEADS, RecordError, read_record

WAVE = fake.ecg(1000, 500, seed=4).astype(np.float32)
CELLS = [[f"{value:.6f}" for value in sample] for sample in WAVE.T]
NAMES = ",".join(LEADS)


def _text(head: str = "", before: list[str] | None = None, cells: list[list[str]] = CELLS, separator: str = ",") -> str:
    """Lines below a head, each with something before its samples."""
    rows = cells if before is None else [[first, *row] for first, row in zip(before, cells, strict=True)]
    return head + "\n".join(separator.join(row) for row in rows) + "\n"


def _times(form: str, step: float) -> list[str]:
    return [format(step * i, form) for i in range(len(CELLS))]


NUMBERED = [str(i) for i in range(len(CELLS))]
BY_LEAD = [list(row) for row in zip(*CELLS, strict=True)]


@pytest.mark.parametrize(
    "text",
    [
        _text("0,1,2,3,4,5,6,7,8,9,10,11\n"),
        _text("1,2,3,4,5,6,7,8,9,10,11,12\n"),
        _text('"0","1","2","3","4","5","6","7","8","9","10","11"\n'),
        _text(",0,1,2,3,4,5,6,7,8,9,10,11\n", NUMBERED),
        _text("index,0,1,2,3,4,5,6,7,8,9,10,11\n", NUMBERED),
        _text("Unnamed: 0," + NAMES + "\n", NUMBERED),
        _text("sample," + NAMES + "\n", [str(i + 1) for i in range(len(CELLS))]),
        _text("", NUMBERED),
        _text("0,1,2,3,4,5,6,7,8,9,10,11,12\n", NUMBERED),
        _text(NAMES + "\n" + ",".join(["mV"] * 12) + "\n"),
        _text("sample," + NAMES + "\n," + ",".join(["(mV)"] * 12) + "\n", NUMBERED),
        _text("# exported by a cart\n# Müller\n" + NAMES + "\n"),
        _text("# " + NAMES + "\n"),
        _text("# " + " ".join(LEADS) + "\n", separator=" "),
        _text("sep=;\n" + NAMES.replace(",", ";") + "\n", separator=";"),
        _text(NAMES.replace(",", "|") + "\n", separator="|"),
        _text(NAMES + "\n", cells=[[f'"{cell}"' for cell in row] for row in CELLS]),
        _text(NAMES + "\n", cells=[[f'"{cell.replace(".", ",")}"' for cell in row] for row in CELLS]),
        _text(NAMES + "\n", cells=[[*row, ""] for row in CELLS]).replace("V6\n", "V6,\n"),
        _text(NAMES + ",rhythm\n", cells=[[*row, "sinus"] for row in CELLS]),
        _text("", list(LEADS), BY_LEAD),
        _text("," + ",".join(NUMBERED) + "\n", list(LEADS), BY_LEAD),
        _text("lead," + ",".join(NUMBERED) + "\n", list(LEADS), BY_LEAD),
        _text("", [f"{lead},mV" for lead in LEADS], BY_LEAD),
        _text("," + ",".join(NUMBERED) + "\n", [str(i) for i in range(12)], BY_LEAD),
        _text(",".join(NUMBERED) + "\n", None, BY_LEAD),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_stands_around_the_samples_is_no_sample(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    record = read_record(tmp_path / "a.csv", sampling_rate=500)
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
    assert set(record.quality) <= {"extra_leads_dropped"}


@pytest.mark.parametrize(
    "text",
    [
        _text("time," + NAMES + "\n", _times(".3f", 0.002)),
        _text("Time (ms)," + NAMES + "\n", _times("g", 2)),
        _text("time_ms," + NAMES + "\n", _times("g", 2)),
        _text("t," + NAMES + "\n", _times("g", 2000)),
        _text("Zeit [s]," + NAMES + "\n", _times(".6f", 0.002)),
        _text("timestamp," + NAMES + "\n", [f"{1_700_000_000 + 0.002 * i:.3f}" for i in range(len(CELLS))]),
        _text("," + NAMES + "\n", _times(".3f", 0.002)),
        _text("", _times(".3f", 0.002)),
        _text(f"time,{NAMES}\ns,{','.join(['mV'] * 12)}\n", _times(".3f", 0.002)),
        _text(f"'Elapsed time',{NAMES}\n'hh:mm:ss.mmm',{','.join(['mV'] * 12)}\n", [f"0:{float(t):06.3f}" for t in _times("f", 0.002)]),
        _text("," + ",".join(_times(".3f", 0.002)) + "\n", list(LEADS), BY_LEAD),
        _text("time," + ",".join(_times("g", 2)) + "\n", list(LEADS), BY_LEAD),
        _text("# Sampling rate: 500 Hz\n" + NAMES + "\n"),
        _text("# fs = 0.5 kHz\n" + NAMES + "\n"),
    ],
)  # fmt: skip
def test_times_say_the_rate(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    record = read_record(tmp_path / "a.csv")
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
    assert (record.sampling_rate, record.quality) == (500, ())
    with pytest.raises(RecordError, match="contradictory sampling rate: 500 Hz in the file, expected 250 Hz"):
        read_record(tmp_path / "a.csv", sampling_rate=250)


@pytest.mark.parametrize(
    "text",
    [
        _text(NAMES + "\n" + ",".join(["uV"] * 12) + "\n", cells=[[f"{1000 * v:.3f}" for v in s] for s in WAVE.T]),
        _text("# units: µV\n" + NAMES + "\n", cells=[[f"{1000 * v:.3f}" for v in s] for s in WAVE.T]),
        _text(
            ",".join(f"{lead} ({'uV' if lead == 'I' else 'mV'})" for lead in LEADS) + "\n",
            cells=[[f"{1000 * s[0]:.3f}", *(f"{v:.6f}" for v in s[1:])] for s in WAVE.T],
        ),
        _text(",".join(f"{lead} (mV)" for lead in LEADS) + ",SpO2 (%)\n", cells=[[*row, "98"] for row in CELLS]),
        _text("", [f"{lead},uV" for lead in LEADS], [[f"{1000 * v:.3f}" for v in s] for s in WAVE]),
    ],
)
def test_units_are_applied_lead_by_lead(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    np.testing.assert_allclose(read_record(tmp_path / "a.csv", sampling_rate=500).signal, WAVE, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_text("Patient,Smith\n" + NAMES + "\n"), "unreadable file"),
        (_text(NAMES + "\n" + ",".join(["sitting"] * 12) + "\n"), "unreadable file"),
        (_text(f"{NAMES}\n{','.join(['mV'] * 12)}\n{','.join(['x'] * 12)}\n"), "unreadable file"),
        (_text(",".join(f"{lead} (uV)" for lead in LEADS) + "\n" + ",".join(["mV"] * 12) + "\n"), "ambiguous unit"),
        (_text(NAMES + "\nmV" + "," * 11 + "\n"), "ambiguous unit"),
        (_text(NAMES + "\n") + NAMES + "\n", "unreadable file"),
        (_text(NAMES + "\n") + "1,2,3\n", "unreadable file"),
        (_text(NAMES + "\n", cells=[*CELLS[:500], ["o.1", *CELLS[500][1:]], *CELLS[501:]]), "unreadable file"),
        (_text("time," + NAMES + "\n", _times(".0f", 0.002)), "uneven times"),
        (_text("time," + NAMES + "\n", [*_times(".3f", 0.002)[:-1], "5"]), "uneven times"),
        (_text("time," + NAMES + "\n", [*_times(".3f", 0.002)[:-1], ""]), "uneven times"),
        (_text("sample," + NAMES + "\n", _times("g", 2)), "uneven times"),
        (_text("time (s)," + NAMES + "\n", _times("g", 2)), "bad sampling rate"),
        (_text("# fs: 250 Hz\ntime," + NAMES + "\n", _times(".3f", 0.002)), "contradictory sampling rate"),
        (NAMES + "\n", "empty signal"),
        ("\n \n,,,\n", "empty signal"),
        ("\ufeff", "empty signal"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(RecordError) as caught:
        read_record(tmp_path / "a.csv", sampling_rate=None if "time" in text else 500)
    assert caught.value.reason == reason
    assert str(tmp_path / "a.csv") in str(caught.value)


def test_a_refusal_names_line_and_cell(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(_text(NAMES + "\n", cells=[CELLS[0], ["o.1", *CELLS[1][1:]], *CELLS[2:]]))
    with pytest.raises(RecordError, match=r"line 3: 'o\.1' is not a number"):
        read_record(tmp_path / "a.csv", sampling_rate=500)


def test_words_for_missing_are_missing_samples(tmp_path: Path) -> None:
    rows = [row.copy() for row in CELLS]
    rows[10][0], rows[20][1] = "NA", ""
    (tmp_path / "a.csv").write_text(_text(NAMES + "\n", cells=rows))
    record = read_record(tmp_path / "a.csv", sampling_rate=500)
    assert record.quality == ("nan_filled:I", "nan_filled:II")
    assert record.signal[0, 10] == pytest.approx((WAVE[0, 9] + WAVE[0, 11]) / 2, abs=1e-6)
