"""Copies of what servers have: asked for once, checked, and used where a server does not answer."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checkpoints import networks
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import cache
from ecg_lightning.errors import UserError


@dataclass
class Web:
    """A web server of a folder, and the requests that it got."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("ECG_CACHE", str(tmp_path / "cache"))
    state = Web(tmp_path / "place")
    for seed, name in enumerate(("net-v1", "net-v2")):
        checkpoints.publish(str(networks.run(tmp_path / name, seed)), name, str(state.folder))

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            state.requests.append(self.path)
            super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(state.folder)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


def copies() -> list[Path]:
    return sorted((cache.cache_folder() / "files").glob("*"))


def test_a_file_is_loaded_once_and_its_copy_has_the_name_of_its_hash(web: Web) -> None:
    url = f"{web.url}/net-v1.safetensors"
    first = checkpoints.read(url)
    assert [path.name for path in copies()] == [first.sha256]
    web.requests.clear()
    assert checkpoints.read(url).sha256 == first.sha256
    assert web.requests == []  # it was asked for its version alone
    # a file that changed, although it should not, is loaded again
    (web.folder / "net-v1.safetensors").write_bytes((web.folder / "net-v2.safetensors").read_bytes())
    os.utime(web.folder / "net-v1.safetensors", (0, 2_000_000_000))  # the server tells the second alone
    assert checkpoints.read(url).card.name == "net-v2"


def test_a_copy_that_somebody_changed_is_not_used(web: Web) -> None:
    url = f"{web.url}/net-v1.safetensors"
    sha256 = checkpoints.read(url).sha256
    copies()[0].write_bytes(b"x" + copies()[0].read_bytes()[1:])
    assert checkpoints.read(url).sha256 == sha256
    assert [cache._copy(path.name) is not None for path in copies()] == [True]


def test_a_damaged_file_is_not_kept(web: Web) -> None:
    content = (web.folder / "net-v1.safetensors").read_bytes()
    (web.folder / "bad.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(UserError, match="was damaged"):
        checkpoints.read(f"{web.url}/bad.safetensors")
    assert copies() == []


def test_a_server_that_is_off(web: Web, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from ecg_lightning.checkpoints import storage

    url = f"{web.url}/net-v1.safetensors"
    card = checkpoints.read(url).card

    def off(url: str) -> Any:
        with storage.explained(url):
            raise ConnectionRefusedError("nobody answers")

    monkeypatch.setattr(storage, "filesystem_of", off)
    monkeypatch.setattr("ecg_lightning.checkpoints.places.filesystem_of", off)
    assert checkpoints.read(url).card == card
    assert "nobody answers" in (text := capsys.readouterr().err)
    assert "The copy in the cache is used" in text
    assert checkpoints.card_of(url) == card
    with pytest.raises(UserError, match="nobody answers"):
        checkpoints.read(f"{web.url}/net-v2.safetensors")
    # a name in a place: whether it is there, and all that is known of the place
    cache.remember("s3://gone/net-v1.safetensors", cache.recall(url) or {})
    cache.remember("s3://gone/net-v1.safetensors", {"sha256": copies()[0].name, "version": "1"})
    assert checkpoints.published("s3://gone") == ["net-v1"]
    assert checkpoints.read("net-v1", "s3://gone").card == card


def test_a_disk_without_room_for_copies_costs_a_line(
    web: Web, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "write_whole", full)
    assert checkpoints.read(f"{web.url}/net-v1.safetensors").card.name == "net-v1"
    assert "No copy is kept in the cache" in capsys.readouterr().err


def test_a_signature_is_not_kept(web: Web) -> None:
    checkpoints.read(f"{web.url}/net-v1.safetensors?signature=secret")
    texts = [path.read_text() for path in (cache.cache_folder() / "index").iterdir()]
    assert texts
    assert not any("secret" in text for text in texts)


class _Artifact:
    """What is used of an artifact of W&B."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.digest = "d1"
        self._files = [
            SimpleNamespace(name=name, size=(folder / name).stat().st_size, download=self._saver(folder / name))
            for name in names
        ]

    @staticmethod
    def _saver(file: Path) -> Any:
        def download(root: str, replace: bool) -> Any:
            assert replace
            (Path(root) / file.name).write_bytes(file.read_bytes())
            return (Path(root) / file.name).open()

        return download

    def files(self) -> list[Any]:
        return self._files


def test_an_artifact_of_wandb(web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (web.folder / "card.json").write_text("{}")
    artifacts = {
        "team/ecg/net-v1:best": _Artifact(web.folder, ["net-v1.safetensors", "card.json"]),
        "team/ecg/parent:v0": _Artifact(web.folder, ["card.json"]),
    }

    class Api:
        def artifact(self, name: str) -> _Artifact:
            if name not in artifacts:
                raise type("CommError", (Exception,), {})(f"artifact {name} not found")
            return artifacts[name]

    monkeypatch.setattr("wandb.Api", Api)
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    name = "wandb:team/ecg/net-v1:best"
    checkpoint = checkpoints.read(name)
    assert checkpoint.card.name == "net-v1"
    assert checkpoints.card_of(name) == checkpoint.card
    assert checkpoints.fetch(name, tmp_path / "here").name == "net-v1.safetensors"
    assert (
        Path(checkpoints.publish(name, "net-v1", str(tmp_path / "place2"))).read_bytes()
        == (web.folder / "net-v1.safetensors").read_bytes()
    )
    with pytest.raises(UserError, match="holds 0 checkpoints"):
        checkpoints.read("wandb:team/ecg/parent:v0")
    with pytest.raises(UserError, match=r"names no artifact of W&B. Write wandb:ENTITY/PROJECT/ARTIFACT:ALIAS"):
        checkpoints.read("wandb:net-v1")
    with pytest.raises(UserError, match=r"wandb:team/ecg/none:v0 cannot be reached: artifact"):
        checkpoints.read("wandb:team/ecg/none:v0")
    monkeypatch.setenv("ECG_OFFLINE", "1")
    assert checkpoints.read(name).sha256 == checkpoint.sha256
