"""Files that people wrote: what is wrong with one is a sentence with its name."""

from pathlib import Path

import pytest

from ecg_lightning.config.compose import as_dict, compose, load
from ecg_lightning.errors import UserError

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("data: {name: Zürich}\n".encode("latin-1"), r"is not in UTF-8 \(line 1, byte 0xfc\).*Save it as UTF-8"),
        ("seed: 1\n".encode("utf-16"), "is in UTF-16. Save it as UTF-8"),
        ("seed: 1\n".encode("utf-16-le"), "holds NUL characters"),
        (b"seed: 1\x00\n", "holds NUL characters"),
        (b"data:\n\tname: x\n", "indented with spaces, never with tabs"),
        (b"seed: 1\nseed: 2\n", "found duplicate key seed"),
        (b"data: {root: a, root: b}\n", "found duplicate key root"),
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"- a\n- b\n", "must be a mapping of keys to values"),
        (b"word\n", "must be a mapping of keys to values"),
        (b"42\n", "must be a mapping of keys to values"),
        (b"defaults: null\nseed: 1\n", r"defaults must be a list of files, for example \[\.\./default\.yaml\]"),
        (b"defaults: base.yaml\nseed: 1\n", "defaults must be a list of files"),
        (b"defaults: [1]\nseed: 1\n", "defaults must be a list of files"),
        (b"defaults: [self.yaml]\nseed: 1\n", "its defaults lead back to self.yaml, without end: self.yaml → self.yaml"),
        (b"defaults: [nowhere.yaml]\n", "There is no configuration file 'nowhere.yaml'"),
        (BOMB.encode(), "is not readable YAML: YAML node expansion exceeds"),
        (b"a: &a [*a]\n", "recursive aliases are not supported"),
        (b"a: " + b"[" * 100_000, "more than 200 brackets within each other"),
        (b"a:\n" + b"".join(b" " * k + b"b:\n" for k in range(1, 1500)), "is nested too deeply|is not readable YAML"),
        (b"a: !!python/object/apply:os.system [true]\n", r"tags \(!…\) are not read"),
        (b"a: !!python/name:os.system\n", r"tags \(!…\) are not read"),
        (b"a: !mine 3\n", r"tags \(!…\) are not read"),
        (b"1: x\n", "the key 1 at the top is not text. Write it in quotes"),
        (b"no: x\n", r"the key False at the top is not text \(YAML reads NO, YES"),
        (b"data: {NO: x}\n", r"the key False in data is not text \(YAML reads NO"),
        (b"data: {codes: {1.20: AFIB}}\n", r"the key 1\.2 in data\.codes is not text\. Write it in quotes"),
        (b"data: {null: x}\n", "is not readable YAML|is not text"),
        (b"data: {[1]: x}\n", "is not readable YAML"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_meant(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "self.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load(tmp_path / "self.yaml")
    assert len(str(error.value)) < 2000


def test_a_circle_of_two_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("defaults: [b.yaml]\nseed: 1\n")
    (tmp_path / "b.yaml").write_text("defaults: [a.yaml]\nseed: 2\n")
    with pytest.raises(UserError, match=r"lead back to a\.yaml, without end: a\.yaml → b\.yaml → a\.yaml"):
        load(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text("seed: 2\n")
    (tmp_path / "c.yaml").write_text("defaults: [a.yaml, b.yaml]\n")  # twice is no circle
    assert as_dict(load(tmp_path / "c.yaml")) == {"seed": 2}


def test_a_byte_order_mark_and_epochs_as_keys_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("finetune: {schedule: {0: [head], 4: all}}\n", encoding="utf-8-sig")
    assert as_dict(load(tmp_path / "a.yaml")) == {"finetune": {"schedule": {0: ["head"], 4: "all"}}}


@pytest.mark.parametrize(
    ("name", "message"), [("conf", "'conf' is a folder"), ("", "needs the path"), ("a\0b", "needs the")]
)
def test_what_is_no_file_is_refused(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        compose(["--config", name])


def test_a_home_folder_and_spaces_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my hospital.yaml").write_text("seed: 3\n")
    assert compose(["--config=~/my hospital.yaml"]).seed == 3
    with pytest.raises(UserError, match="a user that this machine does not know"):
        compose(["--config=~nobody-of-that-name/a.yaml"])
