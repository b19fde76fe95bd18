from pathlib import Path

import pytest

from download.archive_server import ArchiveServer
from ecg_lightning.commands.prepare import prepare
from ecg_lightning.errors import UserError
from ecg_lightning.main import main
from fake import ludb


def words(name: str, root: Path, tmp_path: Path) -> list[str]:
    return ["--config", f"data/{name}", f"data.root={root}", f"data.store_dir={tmp_path}/stores", "data.pack_workers=1"]


def test_an_archive_is_fetched_packed_and_reported(
    server: ArchiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = ludb(tmp_path / "published", 21)
    files = (path for path in archive.root.rglob("*") if path.is_file())
    server.physionet({path.relative_to(archive.root).as_posix(): path.read_bytes() for path in files})
    options = ["--download", f"--base-url={server.url}", "--exclude", "data/3.*,data/4.*", "include=data,ludb.csv"]
    assert prepare([*options, *words("ludb", tmp_path / "new" / "ludb", tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "ODC-By 1.0" in printed
    assert "ludb: 19 records, 19 patients, 0.05 hours, 2 rejected" in printed
    assert "rejected: 2 no such file" in printed
    assert not (tmp_path / "new/ludb/data/3.hea").exists()


def test_what_cannot_be_fetched_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to download for the source"):
        prepare(["--download", *words("folder", tmp_path, tmp_path)])
    with pytest.raises(UserError, match="nothing to download for the source 'simulated'"):
        prepare(["--download", "--config", "data/simulated", f"data.store_dir={tmp_path}"])
    with pytest.raises(UserError, match=r"data\.root of ludb is missing"):
        prepare(["--download", *words("ludb", tmp_path, tmp_path), "data.root=null"])
    with pytest.raises(UserError, match=r"no folder '.*nowhere'"):
        prepare(words("ludb", tmp_path / "nowhere", tmp_path))
    with pytest.raises(UserError, match="include"):
        prepare([*words("ludb", tmp_path, tmp_path), "include=data"])


def test_a_mix_fetches_its_public_archives_alone(server: ArchiveServer, tmp_path: Path) -> None:
    archive = ludb(tmp_path / "published", 12)
    files = (path for path in archive.root.rglob("*") if path.is_file())
    server.physionet({path.relative_to(archive.root).as_posix(): path.read_bytes() for path in files})
    config = tmp_path / "mix.yaml"
    parts = "[{name: LUDBDataModule, root: new}, {name: SimulatedDataModule, records: 30}]"
    config.write_text(f"data: {{name: MixedDataModule, parts: {parts}}}\n")
    words = [
        "--config",
        str(config),
        f"data.root={tmp_path}",
        f"data.store_dir={tmp_path}/stores",
        "data.pack_workers=1",
    ]
    assert prepare(["--download", f"--base-url={server.url}", *words]) == 0
    assert (tmp_path / "new" / "data" / "12.dat").is_file()
    config.write_text(
        config.read_text().replace("SimulatedDataModule, records: 30", "GeorgiaDataModule, root: georgia")
    )
    with pytest.raises(UserError, match="--base-url is the address of one archive, and this mix has ludb, georgia"):
        prepare(["--download", "--base-url", server.url, *words])


def test_the_help_names_the_options_of_a_download(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", "--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"--{option}" in printed for option in ("download", "include", "exclude", "base-url"))
    assert main(["fit", "--help"]) == 0
    assert "--include" not in capsys.readouterr().out
