"""Many workers on one study in a real PostgreSQL."""

import csv
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sweep.postgres_server import Postgres
from sweep.workers import ended, started, wait_for, worker

Write = Callable[..., Path]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_three_workers_one_killed_every_trial_done_once(sweep_file: Write, tmp_path: Path, postgres: Postgres) -> None:
    file, folder = sweep_file(range(8), options=("--sleep=0.4",)), tmp_path / "s"
    words = ("--storage", postgres.url, "--heartbeat", "3")
    workers = [worker(file, folder, *words) for _ in range(3)]  # together: one of them makes the tables and the study
    wait_for(lambda: started(folder).total() >= 5 and ended(folder).total() >= 2)
    victim, *survivors = workers
    victim.kill()
    victim.communicate()
    for survivor in survivors:
        output, _ = survivor.communicate(timeout=240)
        assert survivor.returncode == 0, output
    rows = table(folder)
    assert [row["state"] for row in rows] == ["done"] * 8
    again = Counter(row["trial"].zfill(3) for row in rows if row["tries"] == "2")
    assert again.total() <= 1  # what the victim worked on; nothing where it was killed between two trials
    once = Counter(f"{i:03d}" for i in range(8))
    for log in (started(folder), ended(folder)):
        assert log in (once, once + again)  # it was killed before, while or after the program ran


def test_the_database_may_be_away_for_a_while(sweep_file: Write, tmp_path: Path, postgres: Postgres) -> None:
    file, folder = sweep_file(range(4), options=("--sleep=0.6",)), tmp_path / "s"
    process = worker(file, folder, "--storage", postgres.url, "--heartbeat", "1")
    wait_for(lambda: started(folder).total() >= 2)
    postgres.stop()
    time.sleep(4)
    postgres.start()
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "the storage cannot be reached" in output
    assert [row["state"] for row in table(folder)] == ["done"] * 4
    assert ended(folder) == Counter(f"{i:03d}" for i in range(4))
