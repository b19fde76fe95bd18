"""A stand-in for W&B's server on this machine, as much of it as takes runs; and a reader of W&B's log files."""

import gzip
import json
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

VIEWER = {"id": "VXNlcjox", "entity": "me", "flags": "{}", "username": "me", "email": "", "teams": {"edges": []}}


class Server(ThreadingHTTPServer):
    """Takes runs, until it is told to behave otherwise.

    Attributes:
        status: with which it answers.
        silent: whether it takes connections and never answers.
        history: the rows of each run, by the run's id.
        summary: of each run.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.silent = 200, False
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.summary: dict[str, dict[str, Any]] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of connections that the client has closed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self._answer({})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.server.silent:
            time.sleep(600)
        if self.headers.get("content-encoding") == "gzip":
            content = gzip.decompress(content)
        if self.path.endswith("/file_stream"):
            self._stream(self.path.split("/")[-2], json.loads(content).get("files", {}))
            self._answer({})
        elif self.path == "/graphql":
            question = json.loads(content)
            self._answer({"data": self._data(question.get("operationName"), question.get("variables") or {})})
        else:
            self._answer({})

    def _stream(self, run: str, files: dict[str, Any]) -> None:
        if part := files.get("wandb-history.jsonl"):
            self.server.history.setdefault(run, [])[part["offset"] :] = map(json.loads, part["content"])
        if part := files.get("wandb-summary.json"):
            self.server.summary[run] = json.loads(part["content"][-1])

    def _data(self, operation: str, variables: dict[str, Any]) -> dict[str, Any]:
        model = {"id": "p", "name": variables.get("project"), "entity": {"id": "e", "name": "me"}}
        if operation == "Viewer":
            return {"viewer": VIEWER}
        if operation == "RunResumeStatus":
            return {"model": model | {"bucket": self._past(variables["name"])}}
        if operation == "UpsertBucket":
            run = variables["name"]
            self.server.history.setdefault(run, [])
            bucket = {"id": "b", "name": run, "displayName": run, "config": "{}", "project": model}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.server.url}/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        return {}

    def _past(self, run: str) -> dict[str, Any] | None:
        if run not in self.server.history:
            return None
        rows = self.server.history[run]
        tail = json.dumps([json.dumps(row) for row in rows[-1:]])
        return {
            "id": "b", "name": run, "displayName": run, "logLineCount": 0, "eventsLineCount": 0, "eventsTail": "[]",
            "historyLineCount": len(rows), "historyTail": tail, "config": "{}", "tags": [],
            "summaryMetrics": json.dumps(self.server.summary.get(run, {})), "wandbConfig": '{"t": {"1": [1]}}',
        }  # fmt: skip


def records(path: Path) -> Iterator[Any]:
    """The records of a log: LevelDB's log format (blocks of 32 KiB, chunks of crc, length, type) after 7 bytes."""
    content, position, whole = path.read_bytes(), 7, b""
    while position + 7 <= len(content):
        rest = 32768 - position % 32768
        if rest < 7:
            position += rest
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)
        whole += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # a full record, or the last chunk of one
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def artifacts(folder: Path) -> list[tuple[Any, dict[str, bytes]]]:
    """The models in the offline log of a folder: each record, and its files by their names."""
    (file,) = folder.glob("run-*.wandb")
    models = [record.artifact for record in records(file) if record.artifact.type == "model"]
    return [(m, {entry.path: Path(entry.local_path).read_bytes() for entry in m.manifest.contents}) for m in models]


def logged(folder: Path) -> tuple[str, list[dict[str, Any]], dict[str, Any]]:
    """The run's id, its history and its summary, as the offline log in a folder has them."""
    (file,) = folder.glob("run-*.wandb")
    run, history, summary = "", [], {}
    for record in records(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run.run_id
        elif kind == "history":
            history.append({"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.history.item})
        elif kind == "summary":
            summary |= {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.summary.update}
    return run, history, summary
