"""Predictions as a file: what is written is read, and runs that cannot be compared are refused in a sentence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import small
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictions import check_comparable, read_predictions

NAN = np.nan
LOGITS = np.array([[2.5, -1.0], [0.1, 1 / 3], [-3.0, 0.0]])
TARGETS = np.array([[1, NAN], [0, 1], [0, 0]])


def test_what_is_written_is_read_again_and_equal_bytes_for_equal_predictions(tmp_path: Path) -> None:
    first = small.predictions(LOGITS, TARGETS, [0, 1, 0], ["LAO/LAE", "own:X"])
    first = replace(first, positive=np.where([True, False], NAN, first.positive), name=str(tmp_path))
    first.write(tmp_path / "predictions.parquet")
    read = read_predictions(tmp_path)
    assert (read.terms, len(read)) == (("LAO/LAE", "own:X"), 3)
    for name in ("record_ids", "records", "patients"):
        assert getattr(read, name).tolist() == getattr(first, name).tolist()
    for name in ("targets", "logits", "probabilities", "calibrated", "positive"):
        np.testing.assert_array_equal(getattr(read, name), getattr(first, name))  # to the last bit
    assert read.outputs.is_decided.tolist() == [[False, False], [False, True], [False, True]]
    content = (tmp_path / "predictions.parquet").read_bytes()
    read.write(tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == content


def test_a_run_without_predictions_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"{tmp_path} has no predictions.parquet: run `test run_dir={tmp_path}` first"):
        read_predictions(tmp_path)
    with pytest.raises(UserError, match=r"has no val_predictions.parquet: run `validate run_dir="):
        read_predictions(tmp_path, "val")
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"predictions.parquet is damaged. Run `test run_dir="):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"terms": ("T1", "T0")}, r"run predicts T0, T1, and other predicts T1, T0: only networks of the same terms"),
        ({"record_ids": np.array(["r0", "r1", "r9"], object)}, "cannot be compared: their recordings differ"),
        ({"records": np.array([0, 1, 7])}, "cannot be compared: their recordings differ"),
        ({"targets": np.zeros((3, 2))}, "cannot be compared: their labels differ"),
        ({"patients": np.zeros(3, int)}, "cannot be compared: their patients differ"),
    ],
)
def test_what_is_not_paired_is_not_compared(change: dict[str, object], message: str) -> None:
    first = small.predictions(LOGITS, TARGETS)
    check_comparable([first, small.predictions(LOGITS + 1, TARGETS)])
    with pytest.raises(UserError, match=message):
        check_comparable([first, replace(first, name="other", **change)])  # type: ignore[arg-type]
