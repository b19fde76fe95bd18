"""The documentation: its commands run, its experiments compose, its links lead somewhere, and the README is short.

A block of a README that cannot be run here is preceded by `<!-- needs: … -->`, which says what it needs. A YAML block whose
first line is `# NAME.yaml` is the file of that name for the commands after it, or a shipped one, to which it is compared.
"""

import re
import runpy
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import ecg_lightning
import fake
import small
from ecg_lightning.config.compose import compose
from ecg_lightning.config.schema import check
from ecg_lightning.errors import UserError
from ecg_lightning.simulator import Hospital
from ecg_lightning.sweep.command import check_parameters
from ecg_lightning.sweep.definition import load_sweep
from fake.common import people, wave

ROOT = Path(__file__).parents[1]
HOUSE = [ROOT / "README.md", ROOT / "conf" / "README.md", *sorted((ROOT / "ecg_lightning").rglob("README.md"))]
"""Documents whose blocks are run."""
DOCUMENTS = [*HOUSE, ROOT / "CHANGELOG.md", *sorted((ROOT / "experiments").glob("*/README.md"))]
SKIPPED = ("make", "pip")
"""Commands that install or test, which is not tried here."""
STEP = (
    "trainer.max_epochs=1", "trainer.limit_train_batches=1", "trainer.limit_val_batches=1", "trainer.accelerator=cpu",
    "trainer.enable_progress_bar=false", "logger.wandb=false", "data.batch_size=4", "data.pack_workers=1",
    "model.widths=[4,4,8,8]",
)  # fmt: skip
SMALLER = {
    "fit": (*STEP, "data.allow_leak=true"),  # fake recordings of one number are alike in several archives
    "prepare": ("data.pack_workers=1",),
    "test": ("report.ecgs=1",),
    "report": ("report.ecgs=1",),
    "transfer": (
        *STEP, "sizes=[12]", "seeds=[1]", "epochs=[1]", "rates=[1e-3]", "tune_epochs=[1]", "resamples=20",
        "large.trainer.max_epochs=1", "small.data.allow_leak=true",
    ),
    "sweep": ("data.records=100", "trainer.max_epochs=1", "trainer.limit_train_batches=1"),
}  # fmt: skip
"""What is added to a verb's words, so that it takes a moment."""


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language and text, and what it needs that is not here."""

    line: int
    language: str
    text: str
    needs: str

    def commands(self) -> Iterator[tuple[list[str], str]]:
        """The words of each command, and the line after it: the beginning of what it prints, or the next command."""
        lines = self.text.replace("\\\n", " ").splitlines()
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            is_command = self.language == "bash" or line.startswith("$ ")
            if is_command and (words := shlex.split(line.removeprefix("$ "), comments=True)):
                yield words, after


def blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    fences = re.finditer(r"(?:<!-- needs: ([^>]+) -->\n)?^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(text[: fence.start()].count("\n") + 1, fence[2], fence[3], fence[1] or "") for fence in fences]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small archive in the place of each archive that the documentation names."""
    root = tmp_path_factory.mktemp("archives")
    fake.ptbxl(root / "ptbxl", 60, seconds=3)
    for folder, prefix in {"georgia": "E", "chapman_ningbo": "JS", "cpsc2018": "A", "ptbdb_cinc": "S"}.items():
        fake.cinc(root / folder, 40, prefix=prefix, seconds=4)
    fake.ludb(root / "ludb", 20)
    artefacts = [item.record_id for item in fake.folder(root / "two_hospitals", 20)][:2]
    (root / "two_hospitals" / "artefacts.txt").write_text("\n".join(artefacts), encoding="utf-8")
    (root / "our_hospital").mkdir()
    for number, patient, age, sex, kind in people(40):
        stated = {
            "Exam ID": number, "Patient ID": patient, "Age": f"{age:.0f}", "Sex": {"F": "Female", "M": "Male"}[sex],
            "Chagas label": number % 3 == 0,
        }  # fmt: skip
        comments = [f" {name}: {value}" for name, value in stated.items()]
        signal = wave(kind, 9000 + number, 1200, 400)
        fake.write_wfdb(root / "our_hospital" / f"{number}.dat", signal, 400, comments=comments)
    return root


@pytest.fixture
def place(archives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the archives in `data`, where the commands of one document are run."""
    (tmp_path / "data").symlink_to(archives)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ECG_STORE", str(archives.parent / "stores"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("ECG_CHECKPOINTS", raising=False)
    return tmp_path


@pytest.mark.filterwarnings("ignore::UserWarning:lightning")  # of a Trainer of one's own
@pytest.mark.parametrize("document", HOUSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_written_works(document: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = ecg_lightning.compose
    monkeypatch.setattr(ecg_lightning, "compose", lambda words: experiment([*words, *SMALLER["fit"]]))
    for number, block in enumerate(blocks(document)):
        if block.needs:
            continue
        try:
            run(block, place / f"block_{number}")
        except Exception as error:
            error.add_note(f"{document.relative_to(ROOT)}, line {block.line}")
            raise


def run(block: Block, unnamed: Path) -> None:
    """Does what one block says.

    Args:
        block: it.
        unnamed: where a block without a name is written, without a suffix.
    """
    if block.language == "python":
        script = unnamed.with_suffix(".py")
        script.write_text(block.text, encoding="utf-8")
        runpy.run_path(str(script))
    elif block.language == "yaml":
        check_yaml(block.text, unnamed.with_suffix(".yaml"))
    else:
        for words, after in block.commands():
            run_command(words, after)


def run_command(words: list[str], after: str) -> None:
    """Runs one command; where the documentation shows a refusal, it is that one but for its numbers."""
    if words[0] in SKIPPED:
        return
    if words[:3] != ["python", "-m", "ecg_lightning"]:
        subprocess.run(words, check=True, capture_output=True)
        return
    verb, *rest = words[3:]
    more = () if "--help" in rest else SMALLER.get(verb, ())
    if "finetune/simulated_v1" in rest:  # whose network has a size
        more = tuple(word for word in more if not word.startswith("model."))
    refusal = after.removeprefix("ecg_lightning: ")
    if refusal == after:
        assert small.run(verb, [*rest, *more]) == 0
        return
    with pytest.raises(UserError) as raised:
        small.run(verb, [*rest, *more])
    assert without_numbers(str(raised.value).splitlines()[0]) == without_numbers(refusal)


def without_numbers(text: str) -> str:
    return re.sub(r"\d+", "N", text)


def check_yaml(text: str, unnamed: Path) -> None:
    """Checks a sweep, a hospital or an experiment, and leaves it for later commands if it is named."""
    file_name = re.match(r"# ([\w/.]+\.yaml)\b", text)
    if file_name and file_name[1].startswith("conf/"):
        assert (ROOT / file_name[1]).read_text(encoding="utf-8") == text.partition("\n")[2]
        return
    path = Path(file_name[1]) if file_name else unnamed
    path.write_text(text, encoding="utf-8")
    keys = {*yaml.safe_load(text)}
    if "command" in keys:
        check_parameters(load_sweep(path))
    elif "prevalence" in keys:
        Hospital.load(path)
    else:
        check(compose(["--config", "default", "--config", str(path)]))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text)
    for link in (markdown or html for markdown, html in links):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = document.parent / file if file else document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}, link


def test_the_readme_is_a_face() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_every_chapter_is_found_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path for path in HOUSE[1:] if f"({path.relative_to(ROOT)})" not in text] == []
