"""Checkpoints on the Hugging Face Hub: hf://owner/repository/path, where a commit writes several files at once or none."""

import os
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_url
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, disable_progress_bars

from ecg_lightning.checkpoints.addresses import MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = "ecg_lightning"
"""The tag by which the networks of an owner are listed; the model card has it."""
SECONDS = 10
"""How long the Hub may take to answer."""
TRIES = 10
"""How often a commit is tried again where others commit to the same repository at the same time."""


class Place(NamedTuple):
    """A path on the Hub.

    Attributes:
        repository: `owner/name`; only `owner` for all networks of an owner.
        revision: a branch, tag or commit; None for the main branch.
        file: the path in the repository; "" for all of it.
    """

    repository: str
    revision: str | None
    file: str

    @classmethod
    def of(cls, path: str) -> "Place":
        """Splits `owner/name@revision/file`."""
        owner, _, rest = path.strip("/").partition("/")
        name, _, file = rest.partition("/")
        name, _, revision = name.partition("@")
        return cls(f"{owner}/{name}" if name else owner, revision or None, file)


class Hub:
    """What is used of the Hub, as fsspec names it; nothing is remembered between two calls."""

    def __init__(self) -> None:
        disable_progress_bars()
        self.endpoint = os.environ.get("HF_ENDPOINT") or None
        self.api = HfApi(endpoint=self.endpoint)

    def info(self, path: str) -> dict[str, Any]:
        """Describes one file.

        Raises:
            FileNotFoundError: where there is no such file, or no such repository that this user may see.
        """
        place = Place.of(path)
        with _plain_errors(path):
            entries = self.api.get_paths_info(place.repository, place.file, revision=place.revision)
        for entry in entries:
            if isinstance(entry, RepoFile):
                return _described(path, entry)
        raise FileNotFoundError(path)

    def size(self, path: str) -> int:
        """Returns the bytes of a file."""
        return int(self.info(path)["size"])

    def ls(self, path: str, detail: bool = True) -> list[dict[str, Any]]:
        """Describes the files in a folder of a repository; of an owner, the networks' files in all of their repositories."""
        place = Place.of(path)
        with _plain_errors(path):
            if "/" not in place.repository:
                models = self.api.list_models(author=place.repository, filter=LIBRARY)
                return [{"name": f"{model.id}/{MODEL_FILE}", "type": "file"} for model in models]
            tree = self.api.list_repo_tree(place.repository, place.file or None, revision=place.revision)
            root = path.rstrip("/").removesuffix(place.file).rstrip("/")
            return [_described(f"{root}/{entry.path}", entry) for entry in tree]

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Reads a file, or the bytes from `start` to before `end`."""
        place = Place.of(path)
        url = hf_hub_url(place.repository, place.file, revision=place.revision, endpoint=self.endpoint)
        headers = dict(build_hf_headers())
        if end is not None:
            headers["Range"] = f"bytes={start or 0}-{end - 1}"
        answer = requests.get(url, headers=headers, timeout=SECONDS)
        if answer.status_code == 404:
            raise FileNotFoundError(path)
        if answer.status_code in (401, 403):  # a repository that does not exist looks like one that is private
            raise PermissionError(f"the Hub answers {answer.status_code} for {place.repository}")
        answer.raise_for_status()
        if end is not None and answer.status_code != 206:  # a server that does not know ranges
            return answer.content[start or 0 : end]
        return answer.content

    def rm_file(self, path: str) -> None:
        """Removes a file by a commit."""
        place = Place.of(path)
        with _plain_errors(path):
            self.api.delete_file(place.file, place.repository, commit_message=f"Remove {place.file}")

    def write_new(self, path: str, content: bytes, beside: Mapping[str, bytes]) -> None:
        """Writes a file that must not exist, and others beside it, in one commit.

        The commit names the commit before it; the Hub refuses it where somebody was quicker, and then the file is looked for
        again. A repository that does not exist is created, and is private.

        Args:
            path: of the file.
            content: of the file.
            beside: other files of the same repository, by their paths; one that exists is replaced.

        Raises:
            FileExistsError: where the name is taken.
        """
        place = Place.of(path)
        files = {place.file: content} | {Place.of(name).file: text for name, text in beside.items()}
        with _plain_errors(path):
            try:
                self.api.repo_info(place.repository)
            except RepositoryNotFoundError:
                self.api.create_repo(place.repository, private=True, exist_ok=True)
            for attempt in range(TRIES):
                head = self.api.repo_info(place.repository).sha
                if self.api.get_paths_info(place.repository, place.file, revision=head):
                    raise FileExistsError(path)
                try:
                    self.api.create_commit(
                        place.repository,
                        [CommitOperationAdd(name, data) for name, data in files.items()],
                        commit_message=f"Publish {place.file}",
                        parent_commit=head,
                    )
                except HfHubHTTPError as error:
                    if error.response.status_code not in (409, 412) or attempt == TRIES - 1:
                        raise
                else:
                    return


def connect(path: str) -> tuple[Hub, str]:
    """Opens the Hub, and the path there of an hf:// address."""
    return Hub(), path.partition("://")[2].rstrip("/")


def _described(path: str, entry: Any) -> dict[str, Any]:
    """Returns a file or folder of a repository as fsspec describes one."""
    if not isinstance(entry, RepoFile):
        return {"name": path, "type": "directory"}
    sha256 = entry.lfs.sha256 if entry.lfs is not None else None
    return {"name": path, "type": "file", "size": entry.size, "ETag": entry.blob_id, "sha256": sha256}


@contextmanager
def _plain_errors(path: str) -> "Iterator[None]":
    """Makes Python's own errors of the Hub's."""
    try:
        yield
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        raise FileNotFoundError(path) from error
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            raise PermissionError(f"the Hub answers {error.response.status_code} for {path}") from error
        raise
