"""`prepare --verify`: a packed source against its hashes."""

from pathlib import Path

import pytest

from ecg_lightning.commands.prepare import prepare
from ecg_lightning.errors import UserError


def test_a_store_is_compared_with_its_hashes_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--config", "data/simulated", "data.records=30", "data.pack_workers=1", f"data.store_dir={tmp_path}"]
    assert prepare([*words, "--verify"]) == 0
    (path,) = (file.parent for file in tmp_path.rglob("meta.json"))
    assert f"Every file of {path} is as it was packed." in capsys.readouterr().out
    content = bytearray((path / "signals.bin").read_bytes())
    content[1000] ^= 1
    (path / "signals.bin").write_bytes(content)
    assert prepare(words) == 0
    assert "is as it was packed" not in capsys.readouterr().out
    with pytest.raises(
        UserError, match=f"{path} is damaged: signals.bin has changed since packing. Remove that folder"
    ):
        prepare([*words, "--verify"])
