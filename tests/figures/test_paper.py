"""The ECG on paper, measured: one millimetre is one millimetre, no traces touch, nothing that is missing is drawn."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

import fake
from ecg_lightning.errors import UserError
from ecg_lightning.figures import FORMATS, Shading, ecg_figure, encode
from ecg_lightning.figures.arrangement import arrange
from ecg_lightning.figures.flags import flags_text
from ecg_lightning.figures.sheet import Sheet, plan
from ecg_lightning.records import LEADS, Record


def record(seconds: float = 10, rate: float = 100, scale: float = 1, missing: tuple[str, ...] = ()) -> Record:
    signal = scale * fake.ecg(round(seconds * rate), rate, seed=4).astype(np.float32)
    for lead in missing:
        signal[LEADS.index(lead)] = 0
    return Record(signal, rate, record_id="Jane Doe", quality=tuple(f"missing:{lead}" for lead in missing))


def lines(figure: Figure, gid: str) -> list[Line2D]:
    return [line for line in figure.axes[0].lines if line.get_gid() == gid]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def millimetres(figure: Figure, line: Line2D) -> np.ndarray:
    """(points, 2) where a line is on the sheet, from its pixels."""
    return figure.axes[0].transData.transform(line.get_xydata()) / figure.dpi * 25.4


def test_the_calibration_mark_is_ten_millimetres_high_and_five_wide() -> None:
    figure = ecg_figure(record())
    marks = lines(figure, "calibration")
    assert len(marks) == 4
    for mark in marks:
        corners = millimetres(figure, mark)
        assert np.ptp(corners[:, 1]) == pytest.approx(10, abs=1e-4)
        assert corners[3, 0] - corners[2, 0] == pytest.approx(5, abs=1e-4)
        assert corners[2, 1] == corners[3, 1] and corners[1, 0] == corners[2, 0]


def test_samples_are_where_their_time_and_voltage_say() -> None:
    signal = np.zeros((12, 5000), np.float32)
    signal[1, 2000], signal[11, 4000] = 1.2, -0.8  # II at 4 s, V6 at 8 s
    signal += np.arange(12)[:, None]  # what electrodes add is not drawn
    figure = ecg_figure(Record(signal, 500.0))
    rhythm, six = millimetres(figure, lines(figure, "lead_II")[1]), millimetres(figure, lines(figure, "lead_V6")[0])
    peak = rhythm[:, 1].argmax()
    start, base = rhythm[0]
    assert rhythm[peak] - (start, base) == pytest.approx((4 * 25, 12), abs=1e-3)
    assert start == pytest.approx(15) and rhythm[-1, 0] == pytest.approx(15 + 25 * 4999 / 500, abs=1e-3)
    assert six[six[:, 1].argmin()] - six[0] == pytest.approx(((8 - 7.5) * 25, -8), abs=1e-3)
    # rows begin at lines of the large squares
    low = figure.axes[0].get_ylim()[0]
    assert (base + low) % 5 == pytest.approx(0, abs=1e-4)


def test_the_grid_has_lines_every_millimetre_and_every_five() -> None:
    figure = ecg_figure(record())
    for step in (1, 5):
        x, y = np.array(lines(figure, f"grid_{step}mm")[0].get_xydata()).T
        height = np.nanmax(y)
        upright = np.unique(x[:-1:3][(y[:-1:3] == 0) & (y[1::3] == height)])
        assert np.diff(upright).tolist() == [step] * (len(upright) - 1)
        assert (upright[0], upright[-1]) == (5, 270) and height % 5 == 0


def test_files_have_the_size_of_the_sheet() -> None:
    figure = ecg_figure(record())
    width, height = 25.4 * figure.get_size_inches()
    assert width == pytest.approx(275, abs=1e-3)
    with Image.open(io.BytesIO(encode(figure, "png", 8))) as image:
        assert image.size == (275 * 8, round(height) * 8)
        assert image.info["dpi"] == pytest.approx((203.2, 203.2), abs=0.01)
        dark = np.asarray(image.convert("L")) < 80
        # the rise and the fall of the marks, 8 and 13 mm from the edge
        columns = np.flatnonzero(dark[:, : 14 * 8].sum(axis=0) > 4 * 9 * 8)
        assert columns.min() == pytest.approx(8 * 8, abs=2) and columns.max() == pytest.approx(13 * 8, abs=2)
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+)", encode(figure, "pdf"))
    assert box and [float(side) / 72 * 25.4 for side in box.groups()] == pytest.approx([width, height], abs=1e-3)
    size = re.search(rb'<svg [^>]*width="([\d.]+)pt" height="([\d.]+)pt"', encode(figure, "svg"))
    assert size and [float(side) / 72 * 25.4 for side in size.groups()] == pytest.approx([width, height], abs=1e-3)


@pytest.mark.parametrize("file_format", FORMATS)
def test_equal_recordings_give_equal_bytes(file_format: str) -> None:
    content = [encode(ecg_figure(record(rate=500), title="A 1"), file_format) for _ in range(2)]
    assert content[0] == content[1]
    limit = {"png": 80_000, "pdf": 80_000, "svg": 250_000}[file_format]  # a page holds dozens of them
    assert len(content[0]) < limit


def sheet(recording: Record, gain: float | None = None) -> Sheet:
    recorded = [lead for lead in LEADS if f"missing:{lead}" not in recording.quality]
    return plan(recording, arrange(recorded, 0, recording.signal.shape[1] / recording.sampling_rate), gain)


@pytest.mark.parametrize("scale", [0.3, 1, 2.5, 9])
def test_no_two_rows_touch_and_nothing_leaves_the_grid(scale: float) -> None:
    planned = sheet(record(scale=scale))
    columns = np.arange(0, planned.width, 0.5)
    top, bottom = (np.full((len(planned.lines), len(columns)), end) for end in (-np.inf, np.inf))
    for trace in planned.traces:
        y = np.interp(columns, trace.x, planned.lines[trace.strip.row] + trace.y, left=np.nan, right=np.nan)
        row = trace.strip.row
        top[row], bottom[row] = np.fmax(top[row], y), np.fmin(bottom[row], y)
    for upper, lower in zip(bottom[:-1], top[1:], strict=True):
        assert (upper - lower).min() >= 1.5
    assert 0 < bottom.min() and top.max() < planned.height


def test_what_is_too_large_is_drawn_smaller_and_a_spike_is_cut_and_named() -> None:
    assert (sheet(record()).gain, sheet(record(scale=4)).gain, sheet(record(scale=9)).gain) == (10, 5, 2.5)
    spike = record()
    spike.signal[7, 600:602] = 20  # V2, 20 ms
    planned = sheet(spike)
    assert (planned.gain, planned.cut_leads) == (10, ["V2"])
    assert max(trace.y.max() for trace in planned.traces) == 50
    assert any("cut where triangles are: V2" in text for text in texts(ecg_figure(spike)))
    assert any("   5 mm/mV   " in text for text in texts(ecg_figure(record(), gain=5)))
    assert np.ptp(lines(ecg_figure(record(), gain=5), "calibration")[0].get_ydata()) == 5


def test_leads_that_were_not_recorded_have_no_trace() -> None:
    figure = ecg_figure(record(missing=("V3", "V6")))
    assert lines(figure, "lead_V3") == lines(figure, "lead_V6") == [] and len(lines(figure, "lead_V2")) == 1
    assert texts(figure).count("not recorded") == 2 and "not recorded: V3, V6" in texts(figure)
    watch = ecg_figure(record(missing=LEADS[1:]))
    assert len(lines(watch, "lead_I")) == 1 and lines(watch, "lead_II") == []
    assert "not recorded: " + ", ".join(LEADS[1:]) in texts(watch)


def test_no_name_is_drawn_unless_it_is_the_title() -> None:
    assert b"Jane" not in encode(ecg_figure(record()), "svg")
    assert b"Jane $5" in encode(ecg_figure(record(), title="Jane $5\x1b[2J"), "svg")
    assert any(text.startswith("25 mm/s   10 mm/mV   100 Hz   seconds 0 to 10") for text in texts(ecg_figure(record())))
    long = ecg_figure(record(20), start=5)
    assert any(text.endswith("seconds 5 to 20") for text in texts(long))
    assert any(text.endswith("seconds 0 to 60 of 70") for text in texts(ecg_figure(record(70))))


def test_text_that_is_long_goes_on_in_the_next_line() -> None:
    figure = ecg_figure(record(1), notes=["word " * 60])
    renderer = FigureCanvasAgg(figure).get_renderer()
    for text in figure.axes[0].texts:
        box = text.get_window_extent(renderer)
        assert 0 <= box.x0 and box.x1 < figure.bbox.width and box.y0 >= 0


def test_shading_is_where_the_contributions_are() -> None:
    values = np.zeros((12, 1000))
    values[1, 400:410], values[8, 590:600], values[3] = 1.0, 0.5, -1  # II at 4 s, V3 at 5.9 s; against: aVR
    figure = ecg_figure(
        record(), shadings=[("AFIB", Shading(values, 100.0)), ("PVC", Shading(np.roll(values, 7, 0), 100.0))]
    )
    rhythm, term_row = (lines(figure, f"shading_{lead}") for lead in ("II", "V3"))
    for line in rhythm:
        x, y = line.get_xydata().T
        assert np.abs((x[~np.isnan(y)] - 15) / 25 - 4.045).max() < 0.1
    assert len(rhythm) == 3 and lines(figure, "shading_aVR") == []
    assert (
        len(term_row) == 2 + 3
    )  # half as strong for the first term; the strongest lead of the second, in a row of its own
    assert "V3: PVC" in texts(figure) and len(lines(figure, "calibration")) == 5


def test_impossible_wishes_are_answered() -> None:
    with pytest.raises(UserError, match="has 10 seconds: it cannot be drawn from second 10"):
        ecg_figure(record(), start=10)
    with pytest.raises(UserError, match="A gain of 0 mm/mV is not possible"):
        ecg_figure(record(), gain=0)
    with pytest.raises(UserError, match="A gain of nan"):
        ecg_figure(record(), gain=float("nan"))


def test_a_recording_that_is_flat_for_its_first_part_is_drawn() -> None:
    flat = record()
    flat.signal[:, :500] = 0
    assert encode(ecg_figure(replace(flat, quality=("flat:V1",)), notes=[flags_text(["flat:V1"])]))
