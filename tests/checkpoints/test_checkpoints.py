"""Checkpoints between teammates: published under immutable names, self-describing, and no pickle."""

import hashlib
import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import safetensors.torch
import torch
from safetensors import safe_open

import small
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.card import Card
from ecg_lightning.errors import UserError


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    root = small.archive(folder)
    run = small.fit(root, folder / "run", "trainer.max_epochs=1")
    assert small.run("test", [f"run_dir={run}", "trainer.enable_progress_bar=false"]) == 0
    return run


@pytest.fixture
def folder(run_dir: Path, tmp_path: Path) -> str:
    checkpoints.publish(str(run_dir), "net-v1", str(tmp_path / "published"))
    return str(tmp_path / "published")


def test_a_published_file_has_the_weights_and_everything_needed_to_use_them(run_dir: Path, folder: str) -> None:
    with safe_open(f"{folder}/net-v1.safetensors", "pt") as file:
        values = json.loads(file.metadata()["ecg_lightning"])
    assert values["format"] == 4
    card = Card.from_dict(values, "net-v1")
    assert card.to_dict() == values
    assert card.terms == ["AFIB", "1AVB", "STACH", "SBRAD", "IRBBB", "CRBBB", "PVC"]
    assert card.input.sampling_rate == 100
    assert card.input.leads[:4] == ["I", "II", "III", "aVR"]
    assert card.data.records["train"] > 0
    assert len(card.thresholds) == 7
    published, trained = (
        checkpoints.read("net-v1", folder),
        checkpoints.read(str(run_dir / "checkpoints" / "best.ckpt")),
    )
    assert published.state.keys() == trained.state.keys()
    assert all(torch.equal(published.state[name], trained.state[name]) for name in trained.state)


def test_the_module_of_a_checkpoint_predicts_what_the_trained_one_does(run_dir: Path, folder: str) -> None:
    x = torch.randn(2, 12, 300)
    with torch.no_grad():
        published = checkpoints.read("net-v1", folder).module()(x)
        original = checkpoints.read(str(run_dir / "checkpoints" / "best.ckpt")).module()(x)
    torch.testing.assert_close(published, original, rtol=0, atol=0)


def test_a_test_of_another_checkpoint_is_not_published(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = run_dir / "checkpoints" / "last.ckpt"
    card = checkpoints.card_of(checkpoints.publish(str(last), "last", str(tmp_path)))
    assert card.test is None
    assert "test.json is of another checkpoint and was not attached" in capsys.readouterr().err
    # The same report, of a study: in a folder of its own.
    shutil.copytree(run_dir, tmp_path / "arm")
    (tmp_path / "arm" / "on_small").mkdir()
    (tmp_path / "arm" / "test.json").rename(tmp_path / "arm" / "on_small" / "test.json")
    card = checkpoints.card_of(checkpoints.publish(str(tmp_path / "arm"), "arm", str(tmp_path)))
    assert card.test.checkpoint_sha256 == _sha(run_dir / "checkpoints" / "best.ckpt")
    assert capsys.readouterr().err == ""


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_published_card_tells_nothing_of_this_machine_or_of_patients(run_dir: Path, tmp_path: Path) -> None:
    best = run_dir / "checkpoints" / "best.ckpt"
    secret = tmp_path / "secret"
    shutil.copytree(run_dir.parent / "ptbxl", secret / "ptbxl")
    rows = pd.read_csv(secret / "ptbxl" / "ptbxl_database.csv")
    rows["patient_id"] += 77_000_000
    rows.to_csv(secret / "ptbxl" / "ptbxl_database.csv", index=False)
    child = small.fit(
        secret / "ptbxl", secret / "child", f"finetune.checkpoint={best}", "data.allow_leak=true", "trainer.max_epochs=1"
    )  # fmt: skip
    words = [f"run_dir={child}", f"checkpoint_path={child}/checkpoints/best.ckpt", "trainer.enable_progress_bar=false"]
    assert small.run("test", words) == 0
    url = checkpoints.publish(str(child), "child", str(tmp_path / "published"))
    card = checkpoints.card_of(url)
    assert card.test.records == card.data.records["test"]
    assert card.parent.name == f"run ({_sha(best)[:8]})"
    content = Path(url).read_bytes()
    for word in (str(run_dir.parent), str(tmp_path), "secret", "7700", "patient_id"):
        assert word.encode() not in content, word


def test_a_name_is_never_overwritten(run_dir: Path, folder: str) -> None:
    before = Path(folder, "net-v1.safetensors").read_bytes()
    with pytest.raises(UserError, match="exists; what is published is never overwritten"):
        checkpoints.publish(str(run_dir), "net-v1", folder)
    assert Path(folder, "net-v1.safetensors").read_bytes() == before
    assert sorted(path.name for path in Path(folder).iterdir()) == ["net-v1.md", "net-v1.safetensors"]


def test_two_who_publish_one_name_at_once_do_not_mix(run_dir: Path, tmp_path: Path) -> None:
    folder, results = str(tmp_path / "race"), []

    def publish() -> None:
        try:
            results.append(checkpoints.publish(str(run_dir), "same", folder))
        except UserError as error:
            results.append(str(error))

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("never overwritten" in text for text in results) == 3
    assert checkpoints.read("same", folder).terms


@pytest.mark.parametrize(
    ("run", "name", "message"),
    [
        ("{run}", "../evil", "cannot be a checkpoint's name"),
        ("{run}", "", "cannot be a checkpoint's name"),
        ("{run}/nowhere", "x", "has no checkpoint"),
        ("{run}/config.yaml", "x", "is not a checkpoint of ecg_lightning"),
    ],
)
def test_what_cannot_be_published_is_explained(
    run_dir: Path, tmp_path: Path, run: str, name: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        checkpoints.publish(run.format(run=run_dir), name, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_read_is_explained(folder: str, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"There is no checkpoint 'net-v2' in .* Did you mean: 'net-v1'\? Published there: net-v1"
    ):
        checkpoints.read("net-v2", folder)
    with pytest.raises(UserError, match=r"There is no checkpoint file 'runs/x/best.ckpt'"):
        checkpoints.read("runs/x/best.ckpt", folder)
    (tmp_path / "cut.safetensors").write_bytes(Path(folder, "net-v1.safetensors").read_bytes()[:5000])
    with pytest.raises(UserError, match="is not a readable safetensors file"):
        checkpoints.read(str(tmp_path / "cut.safetensors"))
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    with pytest.raises(UserError, match=r"foreign.ckpt has no card of ecg_lightning, as if a plain Trainer"):
        checkpoints.read(str(tmp_path / "foreign.ckpt"))


@pytest.mark.parametrize("size", [0, 5, 300, 5000, 15_000])
def test_a_file_that_is_not_whole_is_not_fetched(folder: str, tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut" / "net-v1.safetensors"
    cut.parent.mkdir()
    cut.write_bytes(Path(folder, "net-v1.safetensors").read_bytes()[:size])
    with pytest.raises(UserError, match="is not a readable safetensors file"):
        checkpoints.fetch("net-v1", tmp_path / "here", str(cut.parent))
    assert not (tmp_path / "here").exists()


def test_bad_files_do_not_hide_the_others(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    safetensors.torch.save_file({"x": torch.zeros(2)}, f"{folder}/foreign.safetensors")
    Path(folder, "junk.safetensors").write_bytes(b"\xff" * 100)
    Path(folder, "empty.safetensors").touch()
    assert small.run("checkpoints", [f"checkpoints_dir={folder}"]) == 0
    printed = capsys.readouterr()
    assert "net-v1" in printed.out
    assert "foreign.safetensors has no card of ecg_lightning" in printed.err
    assert "junk.safetensors is not a readable safetensors file" in printed.err
    assert "empty.safetensors is not a readable safetensors file" in printed.err


@pytest.mark.parametrize("url", ["nothing://there", "s3://team/ecg"])
def test_a_place_that_cannot_be_opened_is_explained(run_dir: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(address: str, **_: object) -> None:
        raise (ImportError if address.startswith("s3") else ValueError)(f"no {address[:5]}")

    monkeypatch.setattr("fsspec.core.url_to_fs", unknown)  # an extra that may or may not be installed here
    message = f"'{url}.*' cannot be opened: no {url[:5]}"
    with pytest.raises(UserError, match=message):
        small.run("checkpoints", [f"checkpoints_dir={url}"])
    with pytest.raises(UserError, match=message):
        checkpoints.publish(str(run_dir), "net", url)
    with pytest.raises(UserError, match=message):
        checkpoints.read(f"{url}/net.ckpt")


def test_the_place_is_the_argument_then_the_environment_then_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECG_CHECKPOINTS", "s3://team/ecg/")
    assert checkpoints.place("/mine") == "/mine"
    assert checkpoints.place() == "s3://team/ecg"
    monkeypatch.delenv("ECG_CHECKPOINTS")
    assert checkpoints.place() == "checkpoints"


def test_a_place_may_be_any_filesystem(run_dir: Path) -> None:
    url = checkpoints.publish(str(run_dir), "net-v1", "memory://team")
    assert url == "memory://team/net-v1.safetensors"
    assert checkpoints.published("memory://team") == ["net-v1"]
    assert checkpoints.read("net-v1", "memory://team").terms == checkpoints.read(url).terms
    with pytest.raises(UserError, match="never overwritten"):
        checkpoints.publish(str(run_dir), "net-v1", "memory://team")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def test_a_checkpoint_is_fetched_over_http(run_dir: Path, folder: str, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/net-v1.safetensors"
        path = checkpoints.fetch(url, tmp_path / "here")
        assert path.read_bytes() == Path(folder, "net-v1.safetensors").read_bytes()
        assert checkpoints.fetch(url, tmp_path / "here") == path
        (Path(folder) / "best.ckpt").write_bytes((run_dir / "checkpoints" / "best.ckpt").read_bytes())
        trained = f"http://127.0.0.1:{server.server_port}/best.ckpt"
        assert checkpoints.read(trained).sha256 == _sha(run_dir / "checkpoints" / "best.ckpt")
        with pytest.raises(UserError, match="cannot be read"):
            checkpoints.read(f"http://127.0.0.1:{server.server_port}/nothing.safetensors")
    finally:
        server.shutdown()
        server.server_close()


def test_the_table_and_the_card(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run("checkpoints", [f"checkpoints_dir={folder}"]) == 0
    table = capsys.readouterr().out
    assert "net-v1" in table
    assert "ResNet1d" in table
    assert "100 Hz 3 s" in table
    assert small.run("checkpoints", ["net-v1", f"checkpoints_dir={folder}"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "net-v1"
    assert small.run("checkpoints", [f"checkpoints_dir={folder}/empty"]) == 0
    assert "Nothing is published" in capsys.readouterr().out
    with pytest.raises(UserError, match="Usage: publish RUN NAME"):
        small.run("publish", ["only-one"])
