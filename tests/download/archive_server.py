"""A small web server of archives that can be told to misbehave."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Self
from urllib.parse import unquote

Fault = Callable[["Handler", bytes, int], None]


class ArchiveServer:
    """Serves `files` by path; `faults` are used up one a request of their path, the last one again and again."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault | None]] = {}
        self.ranges = True
        self.released = Event()  # ends a `hang`
        self.bytes_sent: Counter[str] = Counter()  # bytes by path
        self.requests: Counter[str] = Counter()  # requests by path
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"archive": self}))
        self.url = f"http://127.0.0.1:{self._http.server_port}/"
        self._thread = Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def physionet(self, files: dict[str, bytes]) -> None:
        self.files |= files
        sums = [f"{hashlib.sha256(content).hexdigest()} {path}\n" for path, content in files.items()]
        self.files["SHA256SUMS.txt"] = "".join(sums).encode()

    def zenodo(self, record: str, files: dict[str, bytes]) -> None:
        self.files |= files
        entries = [
            {"key": k, "size": len(c), "checksum": "md5:" + _md5(c), "links": {"self": self.url + k}}
            for k, c in files.items()
        ]
        self.files[record] = json.dumps({"files": entries}).encode()

    def figshare(self, article: str, files: dict[str, bytes]) -> None:
        self.files |= files
        entries = [
            {"name": k, "size": len(c), "computed_md5": _md5(c), "download_url": self.url + k} for k, c in files.items()
        ]
        self.files[article] = json.dumps({"files": entries}).encode()


class Handler(BaseHTTPRequestHandler):
    archive: ArchiveServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = unquote(self.path.lstrip("/"))
        self.path_asked = path
        self.archive.requests[path] += 1
        faults = self.archive.faults.get(path, [None])
        fault = faults.pop(0) if len(faults) > 1 else faults[0]
        content = self.archive.files.get(path)
        if content is None:
            self.refuse(404)
            return
        range_header = self.headers.get("Range") if self.archive.ranges else None
        begin = int(range_header.removeprefix("bytes=").removesuffix("-")) if range_header else 0
        if begin >= len(content) > 0:
            self.refuse(416)
        elif fault is not None:
            fault(self, content, begin)
        else:
            self.begin_body(content, begin)
            self.send_bytes(content[begin:])

    def refuse(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def begin_body(self, content: bytes, begin: int) -> None:
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()

    def send_bytes(self, piece: bytes) -> None:
        self.wfile.write(piece)
        self.archive.bytes_sent[self.path_asked] += len(piece)

    def log_message(self, format: str, *args: object) -> None:
        pass


def cut(after: int) -> Fault:
    """The connection ends after so many bytes of the body."""

    def fault(handler: Handler, content: bytes, begin: int) -> None:
        handler.begin_body(content, begin)
        handler.send_bytes(content[begin : begin + after])
        handler.close_connection = True

    return fault


def hang(after: int) -> Fault:
    """The server falls silent after so many bytes, until it is released."""

    def fault(handler: Handler, content: bytes, begin: int) -> None:
        cut(after)(handler, content, begin)
        handler.archive.released.wait(30)

    return fault


def drip(handler: Handler, content: bytes, begin: int) -> None:
    """One byte every hundredth of a second, until the client goes."""
    handler.begin_body(content, begin)
    handler.close_connection = True
    try:
        while begin < len(content) and not handler.archive.released.wait(0.01):
            handler.send_bytes(content[begin : begin + 1])
            begin += 1
    except OSError:
        pass


def corrupt(handler: Handler, content: bytes, begin: int) -> None:
    """The right number of wrong bytes."""
    handler.begin_body(content, begin)
    handler.send_bytes(bytes(255 - byte for byte in content[begin:]))


def other_range(handler: Handler, content: bytes, begin: int) -> None:
    """The beginning of the file, whatever part of it was asked for."""
    if not begin:
        handler.begin_body(content, 0)
        handler.send_bytes(content)
        return
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 0-{len(content) - begin - 1}/{len(content)}")
    handler.send_header("Content-Length", str(len(content) - begin))
    handler.end_headers()
    try:
        handler.send_bytes(content[: len(content) - begin])
    except OSError:  # the client does not want it
        handler.close_connection = True


def status(code: int, **headers: str) -> Fault:
    """Only a status and headers."""
    return lambda handler, content, begin: handler.refuse(code, **headers)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
