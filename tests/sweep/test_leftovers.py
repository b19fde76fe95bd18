import os
import time
from pathlib import Path

from ecg_lightning.sweep.results import UNFINISHED, remove_leftovers


def test_what_a_kill_left_is_removed_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    folder, experiment = tmp_path / "s", tmp_path / "conf" / "study_best.yaml"
    old = [
        folder / "trials.csv.0a.part",
        folder / "000" / "checkpoints" / "last.ckpt.part",
        folder / "study.journal.lock1.rename",
        experiment.with_name("study_best.yaml.0b.part"),
    ]
    remaining = [
        folder / "report.html.0c.part",
        folder / "trials.csv",
        experiment,
        experiment.with_name("other.yaml.0d.part"),
    ]
    for path in (*old, *remaining):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
        if path != remaining[0]:
            os.utime(path, (time.time() - 2 * UNFINISHED,) * 2)
    remove_leftovers(folder, experiment)
    assert [path.exists() for path in (*old, *remaining)] == [False] * 4 + [True] * 4
