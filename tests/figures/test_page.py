"""The page of a prediction: bars, thresholds, and nothing beyond the sheet."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Polygon

import fake
from ecg_lightning.figures import Bar, Shading, prediction_page
from ecg_lightning.figures.page import MOST_BARS
from ecg_lightning.figures.style import ACCENT, PALE
from ecg_lightning.records import Record


def record(seconds: float = 10) -> Record:
    return Record(fake.ecg(round(100 * seconds), 100, seed=1).astype(np.float32), 100.0, record_id="Jane Doe")


def widths(bars: list[Polygon], colour: str) -> list[float]:
    from matplotlib.colors import to_rgba

    return [float(np.ptp(bar.get_xy()[:, 0])) for bar in bars if bar.get_facecolor() == to_rgba(colour)]


def test_bars_are_as_long_as_the_probabilities_and_marks_at_the_thresholds() -> None:
    bars = [Bar("AFIB", "atrial fibrillation", 0.75, 0.5, True), Bar("PVC", "premature", 0.25, 0.004, False)]
    figure = prediction_page(record(), bars, notes=["flags: none"])
    axes = figure.axes[0]
    assert widths(axes.patches, ACCENT) == pytest.approx([0.75 * 30])
    assert widths(axes.patches, PALE) == pytest.approx([0.25 * 30])
    texts = [text.get_text() for text in axes.texts]
    assert {"AFIB  atrial fibrillation", "0.75 ≥ 0.50", "0.25 < 0.004", "flags: none"} <= {*texts}
    assert not any("Jane" in text for text in texts)


@pytest.mark.parametrize("seconds", [1, 12])
def test_no_text_leaves_the_sheet_or_lies_on_another(seconds: float) -> None:
    name = "incomplete right bundle branch block or something longer"
    bars = [Bar(f"TERM{k}", name, 0.001 * k, 0.0005, k % 2 == 0) for k in range(MOST_BARS + 3)]
    shadings = [(term, Shading(np.ones((12, 100)), 100.0)) for term in ("TERM0", "TERM2", "TERM4")]
    figure = prediction_page(record(seconds), bars, shadings=shadings, title="a title", notes=["word " * 100])
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.axes[0].texts]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.width for box in boxes)
    assert all(box.y1 <= figure.bbox.height for box in boxes)
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[k + 1 :]), figure.axes[0].texts[k].get_text()
    low = figure.axes[0].transData.transform([patch.get_xy()[0] for patch in figure.axes[0].patches])
    for patch_left, patch_low in low:  # no name reaches into its bar
        assert not any(box.x0 < patch_left < box.x1 and box.y0 < patch_low + 2 < box.y1 for box in boxes)
    assert any("bars: the 12 of 15 terms" in text.get_text() for text in figure.axes[0].texts)
