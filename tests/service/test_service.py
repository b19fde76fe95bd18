"""The service: answers equal the predictor's, nothing is kept or named, and what is wrong is answered in one sentence."""

import base64
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import requests

import fake
import small
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.records import LEADS, read_record

pytest.importorskip("fastapi")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("python_multipart")

from ecg_lightning.service import reading
from ecg_lightning.service.answer import Service
from ecg_lightning.service.app import create_app
from ecg_lightning.service.limits import MEGABYTE, Limits
from ecg_lightning.service.run import listen, read_token

TOKEN = "a-token-of-this-test"


class Server:
    """A service on a free port in a thread, with the lines of its log."""

    def __init__(self, service: Service, token: str | None = None) -> None:
        self.log: list[str] = []
        self.socket = listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.server = uvicorn.Server(
            uvicorn.Config(create_app(service, token, self.log.append), access_log=False, log_level="error", ws="none")
        )
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()

    def post(self, *files: Path, path: str = "/predict", **options: object) -> requests.Response:
        uploads = [("files", (file.name, file.read_bytes())) for file in files]
        return requests.post(self.address + path, files=uploads, timeout=60, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return Predictor(small.untrained(tmp_path_factory.mktemp("network"), LEADS, ["PVC", "AFIB", "STACH"]), device="cpu")


@pytest.fixture(scope="module")
def server(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    reading.prepare_readers()
    server = Server(Service(predictor, "small", Limits(most_bytes=MEGABYTE, reading_seconds=30, recording_seconds=30)))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("Mustermann")
    fake.cinc(folder, 1, prefix="Mustermann", seconds=4)
    return sorted(folder.rglob("Mustermann*"))


def test_the_answer_is_the_predictors(server: Server, predictor: Predictor, files: list[Path]) -> None:
    response = server.post(*files)
    answer = response.json()
    record = read_record(next(file for file in files if file.suffix == ".hea"))
    expected = dict(zip(predictor.terms, predictor.probabilities([record], calibrated=True)[0], strict=True))
    assert response.status_code == 200
    assert {item["term"]: item["probability"] for item in answer["terms"]} == pytest.approx(expected)
    assert answer["positive"] == [item["term"] for item in answer["terms"] if item["positive"]]
    assert set(answer["positive"]) == set(predictor.positive(predictor.probabilities([record])[0]))
    assert answer["not_learnt"] == ["PVC"] and answer["seconds"] == 4 and answer["saliency"] is None
    assert response.headers["cache-control"] == "no-store"
    schema = requests.get(server.address + "/openapi.json", timeout=60).json()
    assert set(schema["components"]["schemas"]["Answer"]["properties"]) == set(answer)
    assert "/predict" in schema["paths"]


def test_the_page_shows_it_and_names_nobody(server: Server, files: list[Path]) -> None:
    page = server.post(*files, path="/")
    assert page.status_code == 200
    answer = server.post(*files, path="/predict?saliency=true&picture=true").json()
    assert answer["picture"].startswith("<?xml") and np.shape(answer["saliency"][0]["values"])[0] == 12
    for item in answer["terms"]:
        assert f'<th scope="row">{item["term"]}</th>' in page.text and f"{item['probability']:.3f}" in page.text
    assert base64.b64encode(answer["picture"].encode()).decode() in page.text
    without_pictures = re.sub(r'src="data:[^"]*"', "", page.text)
    assert "<script" not in page.text and not re.findall(r'(?:src|href)="(?!data:,|/openapi.json|#)', without_pictures)
    assert not re.search("mustermann", page.text + str(answer) + "".join(server.log), re.IGNORECASE)


def test_wrong_uploads_are_answered_in_one_sentence(server: Server, files: list[Path], tmp_path: Path) -> None:
    header = next(file for file in files if file.suffix == ".hea")
    (text := tmp_path / "Mustermann.txt").write_text("no ECG")
    (broken := tmp_path / "Mustermann.mat").write_bytes(b"broken")
    (large := tmp_path / "large.csv").write_bytes(b"0" * (MEGABYTE + 1))
    second = tmp_path / "second.hea"
    shutil.copy(header, second)
    for uploads, status, message in (
        ((header,), 422, "no such file: the .mat file"),
        ((header, second), 422, "these are 2 recordings"),
        ((text,), 422, "unsupported format: the .txt file is a text file"),
        ((broken,), 422, "cannot be used"),
        ((large,), 413, "at most 1 MB"),
        ((), 422, "files"),
    ):
        response = server.post(*uploads)
        assert response.status_code == status and message in response.json()["detail"], response.text
        assert "Mustermann" not in response.text and tempfile.gettempdir() not in response.text
        page = server.post(*uploads, path="/")
        assert page.status_code == status and (status == 413 or 'role="alert"' in page.text)
    response = server.post(*files, data={"rate": "fast"})
    assert "The sampling rate is no number" in response.json()["detail"]
    assert requests.get(server.address + "/Mustermann", timeout=60).status_code == 404
    assert not any("Mustermann" in line for line in server.log)
    for name in ("..", "", ".hidden", "a\nb"):
        with pytest.raises(reading.Refused, match="no usable name"):
            reading.file_name(name)
    assert reading.file_name(r"C:\Users\x\ecg.dat") == reading.file_name("/tmp/../ecg.dat") == "ecg.dat"


def test_a_body_without_a_length_is_bounded_too(server: Server) -> None:
    boundary = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
    response = requests.post(
        server.address + "/predict",
        data=iter([boundary, *[b"0" * 65536] * 20]),
        headers={"content-type": "multipart/form-data; boundary=x"},
        timeout=60,
    )
    assert response.status_code == 413


class Fault:
    """Has the reader's process call a function as soon as it gets this object."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize(
    ("fault", "message"),
    [(Fault(os.abort), "ended its reader"), (Fault(time.sleep, 60), "could not be read within 2 s")],
    ids=["crash", "hang"],
)
def test_a_reader_that_crashes_or_hangs_leaves_nothing(fault: Fault, message: str) -> None:
    seconds = 2 if "2 s" in message else 60
    with pytest.raises(reading.Refused, match=message), reading.folder_of_upload() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (copy := folder / "a.csv").write_text("I\n0\n")
        reading.read_upload([copy], fault, Limits(reading_seconds=seconds))  # type: ignore[arg-type]
    assert not folder.exists()


def test_leftovers_of_ended_services_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "ecg_lightning_upload_999999999_a").mkdir()
    with reading.folder_of_upload() as folder:
        reading.remove_leftovers()
        assert list(tmp_path.iterdir()) == [folder]


def test_concurrent_uploads_are_all_answered(server: Server, files: list[Path]) -> None:
    before = set(Path(tempfile.gettempdir()).glob(f"ecg_lightning_upload_{os.getpid()}_*"))
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda _: server.post(*files).status_code, range(24)))
    assert statuses == [200] * 24
    assert set(Path(tempfile.gettempdir()).glob(f"ecg_lightning_upload_{os.getpid()}_*")) <= before


def test_a_token_is_asked_for(predictor: Predictor, files: list[Path]) -> None:
    server = Server(Service(predictor, "small", Limits()), TOKEN)
    try:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Basic {TOKEN}"},
            {"authorization": "Basic x"},
        ):
            response = server.post(*files, headers=headers)
            assert response.status_code == 401 and "token is missing or wrong" in response.json()["detail"]
        assert requests.get(server.address, timeout=60).headers["www-authenticate"].startswith("Basic")
        assert requests.get(server.address, auth=("anybody", TOKEN), timeout=60).status_code == 200
        assert server.post(*files, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    finally:
        server.stop()


def test_words_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ECG_LIGHTNING_TOKEN", raising=False)
    assert read_token(None, "127.0.0.1") is read_token(None, "::1") is read_token(None, "localhost") is None
    for host in ("0.0.0.0", "::", "192.168.1.5", "ward.example"):
        with pytest.raises(UserError, match="there is no token"):
            read_token(None, host)
    (file := tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_token(str(file), "0.0.0.0") == TOKEN
    monkeypatch.setenv("ECG_LIGHTNING_TOKEN", "short")
    with pytest.raises(UserError, match="at least 16"):
        small.run("serve", ["nothing", "--host", "0.0.0.0"])
    monkeypatch.delenv("ECG_LIGHTNING_TOKEN")
    with pytest.raises(UserError, match="cannot be read"):
        small.run("serve", ["nothing", "--token-file", str(tmp_path / "none")])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="is taken by another program"):
            small.run("serve", ["nothing", "--port", str(taken.getsockname()[1])])
    with pytest.raises(UserError, match="between 0 and 65535"):
        small.run("serve", ["nothing", "--port", "70000"])


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no Chromium here")
def test_the_page_in_a_browser(server: Server, files: list[Path], tmp_path: Path) -> None:
    """A browser sends the form with two files, and shows the answer."""
    parts = ",".join(
        f'new File([Uint8Array.from(atob("{base64.b64encode(file.read_bytes()).decode()}"), c => c.charCodeAt(0))], "{file.name}")'
        for file in files
    )
    (sender := tmp_path / "send.html").write_text(
        f'<form method="post" action="{server.address}/" enctype="multipart/form-data"><input type="file" name="files" multiple>'
        f"</form><script>const data = new DataTransfer(); for (const file of [{parts}]) data.items.add(file);"
        "document.querySelector('input').files = data.files; document.querySelector('form').submit();</script>"
    )
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
               "--virtual-time-budget=20000", "--dump-dom", sender.as_uri()]  # fmt: skip
    page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout
    assert "<h1>" in page and '<th scope="row">AFIB</th>' in page and 'role="alert"' not in page
