"""A server that speaks what is used of the Hugging Face Hub's protocol, on 127.0.0.1, for tests."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

TOKEN = "hf_" + "a" * 34
API = re.compile(r"/api/models/([^/]+/[^/]+)(?:/(revision|paths-info|tree|preupload|commit)/([^/]+)(?:/(.*))?)?")
RESOLVE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
BATCH = re.compile(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch")


@dataclass
class Repository:
    """A repository's commits, each with all of its files, the last of which is the head."""

    private: bool
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.commit({})

    def commit(self, files: dict[str, bytes]) -> str:
        number = hashlib.sha1(f"{len(self.commits)} {sorted(files)}".encode()).hexdigest()
        self.commits.append((number, files))
        return number

    def at(self, revision: str) -> dict[str, bytes] | None:
        if revision in ("main", self.commits[-1][0]):
            return self.commits[-1][1]
        return dict(self.commits).get(revision)


@dataclass
class Hub:
    """The server's state; tests look into it and change it.

    Attributes:
        before_commit: called once, when the next commit arrives and before it is taken.
        requests: the paths that were asked for.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    before_commit: Callable[[], None] | None = None
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def use(self, monkeypatch: pytest.MonkeyPatch, token: str | None = TOKEN) -> None:
        """Makes this process that of a colleague."""
        monkeypatch.setenv("HF_ENDPOINT", self.url)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        if token is None:
            monkeypatch.delenv("HF_TOKEN", raising=False)
        else:
            monkeypatch.setenv("HF_TOKEN", token)

    def files(self, name: str) -> dict[str, bytes]:
        return self.repositories[name].commits[-1][1]


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def _send(self, status: int, content: Any = b"", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    @property
    def _is_known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _repository(self, name: str) -> Repository | None:
        """The repository; an answer, and None, where there is none that this user may see."""
        repository = self.hub.repositories.get(name)
        if repository is None or (repository.private and not self._is_known):
            self._send(404 if self._is_known else 401, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
            return None
        return repository

    def _answer(self) -> None:
        body = self._body()
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        self.hub.requests.append(f"{self.command} {path}")
        if self.command in ("POST", "PUT") and not self._is_known and "paths-info" not in path and "/lfs/" not in path:
            self._send(401, {"error": "Invalid credentials"})
        elif path == "/api/models":
            self._send(200, [self._described(name) for name in self.hub.repositories if self._is_listed(name, query)])
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            front = yaml.safe_load(json.loads(body)["content"].split("---")[1])
            self._send(200, {"errors": [] if isinstance(front, dict) else [{"message": "no"}], "warnings": []})
        elif match := BATCH.fullmatch(path):
            objects = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/lfs/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            self._send(200, {"transfer": "basic", "objects": objects})
        elif path.startswith("/lfs/"):
            self.hub.large[path.removeprefix("/lfs/")] = body
            self._send(200)
        elif match := RESOLVE.fullmatch(path):
            self._resolve(*match.groups())
        elif match := API.fullmatch(path):
            self._api(match[1], match[2], match[3], match[4] or "", body)
        else:
            self._send(404, {"error": "not spoken here"})

    do_GET = do_POST = do_PUT = do_HEAD = _answer

    def _described(self, name: str) -> dict[str, Any]:
        repository = self.hub.repositories[name]
        page = repository.commits[-1][1].get("README.md", b"---\n{}\n---").decode()
        tags = (yaml.safe_load(page.split("---")[1]) or {}).get("tags", [])
        return {
            "id": name,
            "sha": repository.commits[-1][0],
            "private": repository.private,
            "tags": tags,
            "siblings": [],
        }

    def _is_listed(self, name: str, query: dict[str, list[str]]) -> bool:
        if self.hub.repositories[name].private and not self._is_known:
            return False
        tags = self._described(name)["tags"]
        return name.startswith(f"{query['author'][0]}/") and all(tag in tags for tag in query.get("filter", []))

    def _create(self, values: dict[str, Any]) -> None:
        name = f"{values['organization']}/{values['name']}"
        if name in self.hub.repositories:
            self._send(409, {"error": "exists"})
            return
        private = values.get("private") or values.get("visibility") == "private"
        self.hub.repositories[name] = Repository(bool(private))
        self._send(200, {"url": f"{self.hub.url}/{name}", "name": name})

    def _resolve(self, name: str, revision: str, file: str) -> None:
        if (repository := self._repository(name)) is None:
            return
        content = (repository.at(revision) or {}).get(file)
        if content is None:
            self._send(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
        elif match := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            part = content[int(match[1]) : int(match[2]) + 1]
            self._send(206, part)
        else:
            self._send(200, content)

    def _api(self, name: str, verb: str | None, revision: str, rest: str, body: bytes) -> None:
        if (repository := self._repository(name)) is None:
            return
        files = repository.at(revision or "main")
        if files is None:
            self._send(404, {"error": "Invalid rev id"}, X_Error_Code="RevisionNotFound")
        elif verb in (None, "revision"):
            self._send(200, self._described(name))
        elif verb == "paths-info":
            paths = parse_qs(body.decode()).get("paths", [])
            self._send(200, [self._entry(path, files[path]) for path in paths if path in files])
        elif verb == "tree":
            prefix = f"{rest}/" if rest else ""
            below = {path: content for path, content in files.items() if path.startswith(prefix)}
            if rest and not below:
                self._send(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound")
                return
            direct = [self._entry(path, content) for path, content in below.items() if "/" not in path[len(prefix) :]]
            folders = {prefix + path[len(prefix) :].partition("/")[0] for path in below if "/" in path[len(prefix) :]}
            self._send(
                200, [*direct, *({"type": "directory", "path": f, "oid": "0", "size": 0} for f in sorted(folders))]
            )
        elif verb == "preupload":
            modes = [
                {"path": each["path"], "shouldIgnore": False,
                 "uploadMode": "lfs" if each["path"].endswith(".safetensors") else "regular"}
                for each in json.loads(body)["files"]
            ]  # fmt: skip
            self._send(200, {"files": modes})
        else:
            self._commit(name, repository, body)

    @staticmethod
    def _entry(path: str, content: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "type": "file", "path": path, "size": len(content),
            "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
        }  # fmt: skip
        if path.endswith(".safetensors"):
            entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
        return entry

    def _commit(self, name: str, repository: Repository, body: bytes) -> None:
        if (hook := self.hub.before_commit) is not None:
            self.hub.before_commit = None
            hook()
        lines = [json.loads(line) for line in body.splitlines() if line]
        header = next(line["value"] for line in lines if line["key"] == "header")
        with self.hub.lock:
            head, before = repository.commits[-1]
            if header.get("parentCommit") not in (None, head):
                self._send(412, {"error": "A commit has happened since. Please refresh and try again."})
                return
            files = dict(before)
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.hub.large[value["oid"]]
                elif line["key"] == "deletedFile":
                    del files[value["path"]]
            number = repository.commit(files)
        self._send(200, {"success": True, "commitUrl": f"{self.hub.url}/{name}/commit/{number}", "commitOid": number})


@contextmanager
def hub() -> Iterator[Hub]:
    """The server with no repositories, until the test is over."""
    state = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": state}))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
