"""A program whose output nobody reads, or in an encoding that lacks letters, goes on, and its status tells the truth."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import small

PROGRAM = [sys.executable, "-m", "ecg_lightning"]
ASCII = {"PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def shell(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A line of the shell in which $ECG is the program."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; ECG='{' '.join(PROGRAM)}'; {command}"],
        capture_output=True, text=True, check=False, timeout=300, env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("streams")
    return " ".join(f"'{word}'" for word in small.arguments(small.archive(folder, 40), folder / "run")[:-1])


def test_a_training_goes_on_without_a_reader_and_without_streams(words: str, tmp_path: Path) -> None:
    """One training under all that may be wrong at once: no reader of stdout, no stderr, and an encoding without arrows."""
    process = shell(f"$ECG fit {words} run_dir={tmp_path}/run trainer.max_epochs=1 2>&- | true", **ASCII)
    assert process.returncode == 0
    assert (tmp_path / "run" / "checkpoints" / "best.ckpt").is_file()
    process = shell(f"$ECG prepare {words} 2>&- | head -1", **ASCII)
    assert process.returncode == 0 and process.stdout.startswith("ptbxl: 40 records"), process.stderr


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("$ECG models resnet1d18 | head -1", 0),
        ("$ECG fit --help | true", 0),
        ("$ECG --help >&-", 0),
        ("$ECG --help >&- 2>&- <&-", 0),
        ("$ECG fit optim.lrr=1 >&-", 2),
        ("$ECG fit optim.lrr=1 2>&-", 2),
        ("$ECG fit optim.lrr=1 2>&1 | true", 2),
    ],
)
def test_the_status_is_that_of_the_verb(command: str, status: int) -> None:
    process = shell(command)
    assert process.returncode == status, process.stderr
    assert "Traceback" not in process.stderr and "Exception ignored" not in process.stderr


def test_letters_that_an_encoding_lacks_are_written_as_numbers() -> None:
    process = shell("$ECG fit --help | cat", **ASCII)
    assert process.returncode == 0 and "\\u2014" in process.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_is_lost_is_a_failure() -> None:
    process = shell("$ECG models resnet1d18 > /dev/full")
    assert process.returncode == 2 and "the output could not be printed completely: No space left" in process.stderr
