"""Aliases move, keep their history whoever moves them, and stand wherever a published name may."""

import json
import threading
from pathlib import Path

import pytest

import small
from checkpoints import networks
from checkpoints.servers import BUCKET, S3, SSH
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import aliases, cache
from ecg_lightning.errors import UserError


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A folder with two published networks."""
    folder = str(tmp_path / "place")
    for seed, name in enumerate(("net-v1", "net-v2")):
        checkpoints.publish(str(networks.run(tmp_path / name, seed)), name, folder)
    return folder


def test_an_alias_is_set_listed_resolved_moved_and_removed(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = f"checkpoints_dir={place}"
    assert small.run("alias", [folder]) == 0
    assert "There are no aliases" in capsys.readouterr().out
    for name in ("net-v1", "net-v2"):
        assert small.run("alias", ["net@best", name, folder]) == 0
        assert checkpoints.read("net@best", place).card.name == name
        assert checkpoints.card_of("net@best", place).name == name
        assert checkpoints.locate("net@best", place) == f"{place}/{name}.safetensors"
    assert checkpoints.read(f"{place}/net-v1.safetensors").card.name == "net-v1"  # the networks stay
    capsys.readouterr()
    assert small.run("alias", ["net@best", "--json", folder]) == 0
    moves = json.loads(capsys.readouterr().out)
    assert [move["name"] for move in moves] == ["net-v1", "net-v2"]
    assert moves[1]["sha256"] == checkpoints.read("net-v2", place).sha256
    assert small.run("checkpoints", ["--json", folder]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["net-v1"]["aliases"], rows["net-v2"]["aliases"]) == ([], ["net@best"])
    assert small.run("alias", ["net@best", "--remove", folder]) == 0
    assert aliases.aliases(place) == {}
    with pytest.raises(UserError, match=r"The alias 'net@best' in .* was removed by"):
        checkpoints.read("net@best", place)
    assert [move.name for move in aliases.history(place, "net@best")] == ["net-v1", "net-v2", None]
    assert checkpoints.published(place) == ["net-v1", "net-v2"]


def test_an_alias_may_name_what_another_names_and_a_network_of_a_full_address(place: str, tmp_path: Path) -> None:
    checkpoints.set_alias("net@candidate", "net-v2", place)
    checkpoints.set_alias("net@best", "net@candidate", place)
    assert checkpoints.fetch("net@best", tmp_path / "here", place).name == "net-v2.safetensors"
    checkpoints.set_alias("net@candidate", "net-v1", place)
    assert checkpoints.read("net@best", place).card.name == "net-v2"
    assert checkpoints.read(f"file://{place}/net@candidate").card.name == "net-v1"
    assert checkpoints.read(f"file://{place}/net-v1").card.name == "net-v1"


def test_publish_may_move_an_alias(place: str, tmp_path: Path) -> None:
    run = str(networks.run(tmp_path / "third", 3))
    assert small.run("publish", [run, "net-v3", "--alias", "net@best", f"checkpoints_dir={place}"]) == 0
    assert checkpoints.read("net@best", place).card.name == "net-v3"
    with pytest.raises(UserError, match="'best' cannot be an alias: write NAME@WORD"):
        small.run("publish", [run, "net-v4", "--alias", "best", f"checkpoints_dir={place}"])
    assert "net-v4" not in checkpoints.published(place)


def test_moves_at_the_same_time_are_all_in_the_history(place: str) -> None:
    threads = [
        threading.Thread(target=aliases.move, args=(place, "net@best", f"net-v{k}", f"{k:064x}")) for k in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    moves = aliases.history(place, "net@best")
    assert sorted(move.name or "" for move in moves) == [f"net-v{k}" for k in range(8)]
    assert aliases.current(place, "net@best") == moves[-1]


@pytest.mark.parametrize("server", ["s3", "sftp"])
def test_aliases_on_servers_and_without_them(
    server: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if server == "s3":
        s3: S3 = request.getfixturevalue("s3_server")
        s3.use(monkeypatch)
        place = f"s3://{BUCKET}/{tmp_path.name}"
    else:
        ssh: SSH = request.getfixturevalue("ssh_server")
        ssh.use(monkeypatch)
        place = f"{ssh.url}/{tmp_path.name}"
    checkpoints.publish(str(networks.run(tmp_path / "run")), "net-v1", place)
    checkpoints.set_alias("net@best", "net-v1", place)
    card = checkpoints.read("net@best", place).card
    assert checkpoints.read(f"{place}/net@best").card == card
    monkeypatch.setenv("ECG_OFFLINE", "1")
    assert checkpoints.read("net@best", place).card == card
    assert checkpoints.published(place) == ["net-v1"]
    assert checkpoints.card_of("net-v1", place) == card


def test_a_file_that_is_not_the_one_an_alias_names_is_refused(place: str, tmp_path: Path) -> None:
    checkpoints.set_alias("net@best", "net-v1", place)
    (Path(place) / "net-v1.safetensors").write_bytes((Path(place) / "net-v2.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"net-v1.safetensors is not the file that its alias names"):
        checkpoints.read("net@best", place)
    with pytest.raises(UserError, match="is not the file that its alias names"):
        checkpoints.fetch("net@best", tmp_path / "here", place)
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    "content", ["", "[]", '{"name": "../../etc/passwd"}', '{"name": "net-v1", "sha256": "x"}', '{"name": 3}', "{}"]
)
def test_a_damaged_or_foreign_alias_is_one_sentence(place: str, content: str) -> None:
    checkpoints.set_alias("net@best", "net-v1", place)
    (Path(place) / "aliases" / "net@best.000002.json").write_text(content)
    with pytest.raises(UserError, match=r"net@best.000002.json is no alias of ecg_lightning .* Remove this file"):
        checkpoints.read("net@best", place)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["net@bset"], r"There is no alias 'net@bset' in .* Did you mean: 'net@best'\? Aliases there: net@best"),
        (["net@best", "net-v9"], "There is no checkpoint 'net-v9'"),
        (["net@best", "../net-v1"], r"'../net-v1' is no published name"),
        (["../net@best", "net-v1"], "cannot be an alias"),
        (["net@best", "net-v1", "--remove"], "--remove takes one alias away"),
        (["net@other", "--remove"], "There is no alias 'net@other'"),
    ],
)
def test_mistakes(place: str, words: list[str], message: str) -> None:
    checkpoints.set_alias("net@best", "net-v1", place)
    with pytest.raises(UserError, match=message):
        small.run("alias", [*words, f"checkpoints_dir={place}"])
    assert [move.name for move in aliases.history(place, "net@best")] == ["net-v1"]
    with pytest.raises(UserError, match="There is no alias 'net@nothing'"):
        checkpoints.read("net@nothing", place)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ECG_CACHE", "~/copies")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "copies"
    monkeypatch.delenv("ECG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache.cache_folder() == Path("/caches/ecg_lightning")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == tmp_path / ".cache" / "ecg_lightning"
