"""Checkpoints between teammates: published under immutable names, self-describing, and no pickle."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

import small
from ecg_lightning import checkpoints
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
        card = json.loads(file.metadata()["ecg_lightning"])
    assert {
        "model", "label_space", "terms", "input", "data", "parent", "version", "provenance", "thresholds", "calibration",
        "metrics", "epoch", "name", "test",
    } <= card.keys()  # fmt: skip
    assert card["terms"] == ["AFIB", "1AVB", "STACH", "SBRAD", "IRBBB", "CRBBB", "PVC"]
    assert card["input"]["sampling_rate"] == 100
    assert card["input"]["preprocess"]["leads"][:4] == ["I", "II", "III", "aVR"]
    assert card["data"]["records"]["train"] > 0
    assert len(card["thresholds"]) == 7
    published, trained = (
        checkpoints.read("net-v1", folder),
        checkpoints.read(str(run_dir / "checkpoints" / "best.ckpt")),
    )
    assert published.state.keys() == trained.state.keys()
    assert all(torch.equal(published.state[name], trained.state[name]) for name in trained.state)


def test_the_module_of_a_checkpoint_predicts_what_the_trained_one_does(run_dir: Path, folder: str) -> None:
    x = torch.randn(2, 12, 300)
    with torch.no_grad():
        one = checkpoints.read("net-v1", folder).module()(x)
        two = checkpoints.read(str(run_dir / "checkpoints" / "best.ckpt")).module()(x)
    torch.testing.assert_close(one, two, rtol=0, atol=0)


def test_a_name_is_never_overwritten(run_dir: Path, folder: str) -> None:
    before = Path(folder, "net-v1.safetensors").read_bytes()
    with pytest.raises(UserError, match="exists; what is published is never overwritten"):
        checkpoints.publish(str(run_dir), "net-v1", folder)
    assert Path(folder, "net-v1.safetensors").read_bytes() == before
    assert [path.name for path in Path(folder).iterdir()] == ["net-v1.safetensors"]


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
    ("run", "name", "said"),
    [
        ("{run}", "../evil", "cannot be a checkpoint's name"),
        ("{run}", "", "cannot be a checkpoint's name"),
        ("{run}/nowhere", "x", "has no checkpoint"),
        ("{run}/config.yaml", "x", "is not a checkpoint of ecg_lightning"),
    ],
)
def test_what_cannot_be_published_is_explained(run_dir: Path, tmp_path: Path, run: str, name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
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
    with pytest.raises(UserError, match="is not a checkpoint of ecg_lightning"):
        checkpoints.read(str(tmp_path / "foreign.ckpt"))


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


def test_a_checkpoint_is_fetched_over_http(folder: str, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/net-v1.safetensors"
        path = checkpoints.fetch(url, tmp_path / "here")
        assert path.read_bytes() == Path(folder, "net-v1.safetensors").read_bytes()
        assert checkpoints.fetch(url, tmp_path / "here") == path
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
    with pytest.raises(UserError, match="usage: publish RUN NAME"):
        small.run("publish", ["only-one"])
