from collections.abc import Callable
from pathlib import Path

import pytest

from ecg_lightning.commands.sweep import sweep as run
from ecg_lightning.errors import UserError
from ecg_lightning.sweep import agent

Write = Callable[..., Path]


def test_without_a_key_it_says_what_to_do(sweep_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"wandb login.*Without --wandb"):
        run([str(sweep_file()), "--wandb"])


def test_the_sweep_is_made_and_agents_run_it(
    sweep_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    calls: list[tuple[object, object, object]] = []
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    monkeypatch.setattr(agent, "why_unreachable", lambda: "")
    monkeypatch.setattr(
        wandb, "sweep", lambda content, entity, project: calls.append((content, entity, project)) or "abc123"
    )
    log = tmp_path / "agents.txt"
    stand_in = tmp_path / "python"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {log}\n', encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setattr(agent.sys, "executable", str(stand_in))
    assert run([str(sweep_file(entity="cardiology")), "--wandb", "--workers", "2"]) == 0
    ((content, entity, project),) = calls
    assert content["parameters"] == {"x": {"values": [0, 1, 2, 3]}}  # type: ignore[index]
    assert (entity, project) == ("cardiology", "ecg_lightning")
    assert log.read_text(encoding="utf-8").splitlines() == ["-m wandb agent cardiology/ecg_lightning/abc123"] * 2
