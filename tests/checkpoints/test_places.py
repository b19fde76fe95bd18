"""Where published checkpoints lie: on S3, on an SSH server, in a folder; and what is said where a place does not work."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import small
from checkpoints.servers import BUCKET, S3, SSH, free_port
from checkpoints.test_card import FIRST
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.places import address, locate, place
from ecg_lightning.checkpoints.storage import FIRST_BYTES, read_header
from ecg_lightning.commands.words import split_words
from ecg_lightning.errors import UserError
from ecg_lightning.models import ResNet1d


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A run's checkpoint, as far as publishing looks at it."""
    path = tmp_path / "run" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    widths = [4, 4, 8, 8]
    state = {
        f"network.{name}": tensor for name, tensor in ResNet1d(leads=2, widths=widths, outputs=2).state_dict().items()
    }
    card = FIRST | {"model": {"name": "ResNet1dModule", "widths": widths}}
    torch.save({"card": card, "state_dict": state, "seen": torch.ones(8, 64)}, path)
    return path.parents[1]


@pytest.fixture(params=["s3", "sftp"])
def server(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that is not there yet, on a server."""
    if request.param == "s3":
        s3: S3 = request.getfixturevalue("s3_server")
        s3.use(monkeypatch)
        return f"s3://{BUCKET}/{tmp_path.name}"
    ssh: SSH = request.getfixturevalue("ssh_server")
    ssh.use(monkeypatch)
    return f"{ssh.url}/{tmp_path.name}"


def program(*words: str, block: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, without the package `block`."""
    code = f"import sys; sys.modules.update(dict.fromkeys({[block]!r})); from ecg_lightning.main import run; run()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=os.environ | environment, check=False
    )


def test_teammates_publish_list_and_fetch(
    server: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small.run("checkpoints", [f"checkpoints_dir={server}"]) == 0
    assert f"Nothing is published in {server} yet" in capsys.readouterr().out
    assert small.run("publish", [str(trained), "net-v1", f"checkpoints_dir={server}"]) == 0
    with pytest.raises(UserError, match="exists; what is published is never overwritten"):
        small.run("publish", [str(trained), "net-v1", f"checkpoints_dir={server}/"])
    assert small.run("checkpoints", [f"checkpoints_dir={server}"]) == 0
    assert "net-v1" in capsys.readouterr().out
    path = checkpoints.fetch("net-v1", tmp_path / "here", server)
    assert checkpoints.read(str(path)).card == checkpoints.card_of("net-v1", server)
    with pytest.raises(UserError, match=r"There is no checkpoint 'net' in .* Published there: net-v1"):
        checkpoints.read("net", server)


def test_half_a_file_costs_one_line(server: str, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ecg_lightning.checkpoints.exclusive import write_new

    whole = Path(checkpoints.publish(str(trained), "whole", str(trained))).read_bytes()
    for name, content in {"whole": whole, "half": whole[:-2_000], "longer": whole + b"x", "empty": b""}.items():
        write_new(address(name, server), content)
    assert small.run("checkpoints", [f"checkpoints_dir={server}"]) == 0
    printed = capsys.readouterr()
    assert "whole" in printed.out
    assert not any(name in printed.out for name in ("half", "longer", "empty"))
    assert f"half.safetensors is not whole: it has {len(whole) - 2_000:,} of {len(whole):,} bytes" in printed.err
    assert f"longer.safetensors is not whole: it has {len(whole) + 1:,} of {len(whole):,} bytes" in printed.err
    assert len(printed.err.splitlines()) == 3


def test_of_a_large_file_on_s3_the_header_alone_is_read(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    s3_server.use(monkeypatch)
    requests: list[tuple[str, str]] = []
    plain = s3fs.S3FileSystem._call_s3

    async def call(self: Any, method: str, *arguments: Any, **options: Any) -> Any:
        requests.append((method, options.get("Range", "")))
        return await plain(self, method, *arguments, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    for text in ("x", "x" * 200_000):
        content = safetensors.torch.save({"a": torch.zeros(500_000)}, {"text": text})
        s3fs.S3FileSystem().pipe_file(f"{BUCKET}/large", content)
        requests.clear()
        end = 8 + int.from_bytes(content[:8], "little")
        assert read_header(f"s3://{BUCKET}/large")[:end] == content[:end]
        ranges = [f"bytes=0-{FIRST_BYTES - 1}", f"bytes={FIRST_BYTES}-{end - 1}"]
        expected = [("get_object", part) for part in ranges[: 1 if end <= FIRST_BYTES else 2]]
        assert requests == [("head_object", ""), *expected]


def test_credentials_that_s3_refuses(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_server.use(monkeypatch)

    def check_credentials_after(requests: bytes) -> None:
        url = f"http://127.0.0.1:{s3_server.port}/moto-api/reset-auth"
        urllib.request.urlopen(urllib.request.Request(url, requests, {"Content-Type": "text/plain"})).close()

    check_credentials_after(b"0")
    try:
        process = program("checkpoints", f"checkpoints_dir=s3://{BUCKET}/x", AWS_ACCESS_KEY_ID="nobody")
    finally:
        check_credentials_after(b"inf")
    assert process.returncode == 2
    assert f"s3://{BUCKET}/x cannot be used, access is refused: " in process.stderr
    assert "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_a_bucket_that_is_not_there(s3_server: S3, monkeypatch: pytest.MonkeyPatch, trained: Path) -> None:
    s3_server.use(monkeypatch)
    assert checkpoints.published("s3://nowhere/x") == []
    with pytest.raises(UserError, match=r"s3://nowhere/net.safetensors cannot be written: its folder or bucket"):
        checkpoints.publish(str(trained), "net", "s3://nowhere")


def test_s3_without_credentials_or_server(s3_server: S3) -> None:
    off = s3_server.environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    process = program("checkpoints", f"checkpoints_dir=s3://{BUCKET}/x", **off)
    assert process.returncode == 2
    assert f"s3://{BUCKET}/x cannot be reached: Could not connect to the endpoint URL" in process.stderr
    assert len(process.stderr.splitlines()) == 1
    process = program("checkpoints", f"checkpoints_dir=s3://{BUCKET}/x", **off | {"AWS_ACCESS_KEY_ID": ""})
    assert process.returncode == 2
    assert "access is refused: " in process.stderr
    assert len(process.stderr.splitlines()) == 1


@pytest.fixture
def ssh(ssh_server: SSH, monkeypatch: pytest.MonkeyPatch) -> Iterator[SSH]:
    from ecg_lightning.checkpoints.sftp import SFTP

    ssh_server.use(monkeypatch)
    SFTP.clear_instance_cache()  # which keep the connections of other tests
    yield ssh_server
    SFTP.clear_instance_cache()


def test_an_ssh_server_that_refuses_is_off_or_is_unknown(ssh: SSH) -> None:
    with pytest.raises(UserError, match=r"access is refused: Authentication failed. Check the user's name"):
        checkpoints.published(ssh.url.replace("://", "://somebody@"))
    with pytest.raises(UserError, match=r"cannot be reached: Unable to connect to port \d+ on 127.0.0.1. Check"):
        checkpoints.published(f"sftp://127.0.0.1:{free_port()}/x")
    with pytest.raises(UserError, match=r"localhost\]:\d+ is not among your known hosts .* Connect once with `ssh`"):
        checkpoints.published(f"sftp://localhost:{ssh.port}/x")


def test_a_full_disk_of_an_ssh_server_leaves_nothing(ssh: SSH, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError("Failure")  # as paramiko of a server's SSH_FX_FAILURE

    monkeypatch.setattr("paramiko.SFTPClient.putfo", full)
    with pytest.raises(UserError, match=r"the server gives no reason\. Its disk may be full\."):
        small.run("publish", [str(trained), "full-v1", f"checkpoints_dir={ssh.url}/full"])
    assert list((ssh.root / "full").iterdir()) == []


def test_an_ssh_server_with_another_key_is_refused(ssh: SSH, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir()
    other_key = (ssh.home / ".ssh" / "id_ed25519.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{ssh.port} {' '.join(other_key)}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"shows another key than the one in ~/\.ssh/known_hosts"):
        checkpoints.published(ssh.url)


def test_the_names_of_ssh_config_are_understood_and_a_lost_connection_is_made_anew(ssh: SSH) -> None:
    config = ssh.home / ".ssh" / "config"
    config.write_text(f"Host lab\n  HostName 127.0.0.1\n  Port {ssh.port}\n")
    try:
        checkpoints.exclusive.write_new(f"sftp://lab{ssh.root}/named/net.safetensors", b"1")
        checkpoints.storage.filesystem_of(f"sftp://lab{ssh.root}")[0].client.close()
        assert checkpoints.published(f"sftp://lab{ssh.root}/named") == ["net"]
    finally:
        config.unlink()


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("s3://team/x", "s3fs", "s3"), ("sftp://lab/x", "paramiko", "sftp"), ("gs://team/x", "gcsfs", "gcs")],
)
def test_a_protocol_without_its_package_names_the_extra(url: str, package: str, extra: str) -> None:
    process = program("checkpoints", f"checkpoints_dir={url}", block=package)
    assert process.returncode == 2
    assert f"'{url}' cannot be opened: " in process.stderr
    assert f"Install it with: pip install 'ecg_lightning[{extra}]'" in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_a_password_and_a_signature_are_not_shown() -> None:
    with pytest.raises(UserError) as refused:
        checkpoints.published("nothing://ann:secret@host/x")
    assert "nothing://ann:***@host/x" in str(refused.value)
    with pytest.raises(UserError) as refused:
        checkpoints.read(f"http://127.0.0.1:{free_port()}/net.safetensors?signature=secret")
    assert "net.safetensors?*** cannot be reached" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_an_address_that_is_for_reading_only(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data://x/net.safetensors cannot be used"):
        checkpoints.publish(str(trained), "net", "data://x")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file; name the folder"):
        checkpoints.published(str(tmp_path / "file"))


def test_the_home_folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ECG_CHECKPOINTS", "~/ours/")
    assert place() == f"{tmp_path}/ours"
    assert place("~/mine") == f"{tmp_path}/mine"
    assert (place("/"), place("memory://")) == ("/", "memory://")
    assert (address("net", "/"), address("net", "memory://")) == ("/net.safetensors", "memory://net.safetensors")
    monkeypatch.chdir(tmp_path)
    url = checkpoints.publish("~/run", "net")
    assert url == str(tmp_path / "ours" / "net.safetensors")
    assert locate("~/ours/net.safetensors") == url
    assert checkpoints.fetch("net", Path("~/copy")) == tmp_path / "copy" / "net.safetensors"
    assert not (tmp_path / "~").exists()


def test_fetch_leaves_another_file_and_works_without_links(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    place = str(tmp_path / "published")
    url = checkpoints.publish(str(trained), "net", place)
    stick = tmp_path / "stick"
    assert checkpoints.fetch("net", stick, place).read_bytes() == Path(url).read_bytes()
    assert checkpoints.fetch("net", stick, place) == stick / "net.safetensors"
    assert [path.name for path in stick.iterdir()] == ["net.safetensors"]
    (stick / "net.safetensors").write_bytes(b"mine")
    with pytest.raises(UserError, match="exists and is another file, which is left as it is"):
        checkpoints.fetch("net", stick, place)
    assert (stick / "net.safetensors").read_bytes() == b"mine"
    with pytest.raises(UserError, match=r"fetch copies to a folder of this machine, but s3://team is an address"):
        small.run("fetch", ["net", "s3://team", f"checkpoints_dir={place}"])


def test_words_with_an_equals_sign() -> None:
    url = "https://host/net.safetensors?token=a=b"
    assert split_words([url, "runs/lr=0.1"], "fetch NAME [FOLDER]", 1, 2) == ([url, "runs/lr=0.1"], None)
    assert split_words(["x", "checkpoints_dir=s3://team/run=3/"], "fetch NAME", 1, 1) == (["x"], "s3://team/run=3/")
    for word in ("checkpoint_dir=x", "--folder=x", "--folder"):
        with pytest.raises(UserError, match=f"'{word}' is not an option of this verb"):
            split_words(["x", word], "fetch NAME", 1, 1)
