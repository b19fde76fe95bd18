"""Options are spelled with hyphens; an underscore is understood."""

import io
import sys
from pathlib import Path

import pytest
from rich.table import Table

from ecg_lightning.commands.console import console
from ecg_lightning.commands.prepare import _download_options
from ecg_lightning.commands.words import Parser, split_words
from ecg_lightning.errors import UserError


def parser() -> Parser:
    words = Parser("python -m ecg_lightning predict", add_help=False)
    words.add_argument("file")
    words.add_argument("--batch-size", type=int, default=32)
    return words


@pytest.mark.parametrize(
    "arguments", [["my_file", "--batch_size=8"], ["--batch_size", "8", "my_file"], ["my_file", "--batch-size=8"]]
)
def test_an_underscore_in_an_option_is_a_hyphen(arguments: list[str]) -> None:
    options = parser().read(arguments)
    assert (options.file, options.batch_size) == ("my_file", 8)


def test_a_mistake_names_the_verb_and_its_help() -> None:
    with pytest.raises(UserError, match=r"^predict: .*--batch-sizes.*See `python -m ecg_lightning predict --help`"):
        parser().read(["my_file", "--batch-sizes=8"])


@pytest.mark.parametrize(
    "word", ["checkpoints_dir=s3://team", "--checkpoints_dir=s3://team", "--checkpoints-dir=s3://team"]
)
def test_the_folder_of_checkpoints_is_a_key_or_an_option(word: str) -> None:
    assert split_words(["x", word], "fetch NAME", 1, 1) == (["x"], "s3://team")


@pytest.mark.parametrize("key", ["base-url", "base_url"])
def test_options_of_a_download_are_told_from_keys_of_the_configuration(key: str) -> None:
    arguments = ["--download", f"--{key}=http://a", "--run_dir=x", "data.root=y"]
    assert _download_options(arguments) == ({"base-url": "http://a"}, ["run_dir=x", "data.root=y"])


def test_the_console_prints_brackets_and_colons_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    table = Table("name")
    table.add_row("[red]net[/red] :smile:")
    out = console()
    out.print(table)
    out.print(Path("store[1]"))
    assert "[red]net[/red] :smile:" in output.getvalue() and "store[1]" in output.getvalue()
