"""The table of networks, and the arguments of one."""

from pathlib import Path

import pytest

from ecg_lightning.commands import models as command
from ecg_lightning.config.compose import conf_folder
from ecg_lightning.errors import UserError
from ecg_lightning.models import S4


def test_a_row_for_each_file_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "s4.yaml").write_text("model: {name: S4Module, width: 4, layers: 1}\n")
    (folder / "tiny.yaml").write_text(
        "model: {name: ResNet1dModule, block: basic, widths: [4, 4, 4, 4], pooling: mean}\n"
    )
    monkeypatch.setattr(command, "conf_folder", lambda: tmp_path)
    assert command.models([]) == 0
    head, *rows = [line.split() for line in capsys.readouterr().out.partition("\n\n")[2].splitlines()]
    assert head[:2] == ["network", "parameters"]
    # stem and linear layers, then C, D, the two layers' weights and the normalisation
    count = (12 * 4 + 4) + (2 * 4 * 4 * 2 + 4 + (4 * 8 + 8) + 2 * 4) + 4 * 71 + 71
    assert (rows[0][:2], rows[0][6:8]) == (["s4", str(count)], ["whole", "0.941"])
    # each stage halves the time axis, from 4 samples on: stem 3, maximum 3, then 2 · 2 convolutions of 3
    field = 3 + 2 * 2 + sum(2 * step + 3 * 2 * 2 * step for step in (4, 8, 16, 32))
    assert (rows[1][0], rows[1][6:8]) == ("tiny", [f"{field / 100:.2f}", "s"])
    assert "He et al. 2016" in " ".join(rows[1])


@pytest.mark.parametrize("name", ["S4Module", "s4"])
def test_the_arguments_of_one_network(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.models([name]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"S4Module: {str(S4.__doc__).splitlines()[0]}")
    assert "  width = 512  (a whole number from 1 to 4096)\n      Channels.\n" in output


def test_an_unknown_network_lists_the_choices() -> None:
    with pytest.raises(UserError, match=r"no network 'S5Module'\. Did you mean: 'S4Module'\? Choices: densenet1d"):
        command.models(["S5Module"])
    assert (conf_folder() / "model" / "s4.yaml").is_file()


def test_every_published_score_belongs_to_a_file() -> None:
    from ecg_lightning import models

    scores = {name for network in models.__all__ for name in getattr(models, network).published}
    assert scores <= {file.stem for file in (conf_folder() / "model").glob("*.yaml")}
    assert all(getattr(models, network).reference for network in models.__all__)
