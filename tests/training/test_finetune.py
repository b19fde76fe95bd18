"""Fine-tuning: what is taken from a checkpoint, what is frozen when, and that a resumed run is the uninterrupted one."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import small
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.weights import take_weights
from ecg_lightning.errors import UserError
from ecg_lightning.models.resnet1d import ResNet1d
from ecg_lightning.training.finetune import FineTune
from ecg_lightning.training.progress import Progress

GROUPS = ["stem", "stage1", "stage2", "stage3", "stage4", "head"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def parent(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.fit(root, tmp_path_factory.mktemp("runs") / "parent", "trainer.max_epochs=1")


def network(outputs: int = 3) -> ResNet1d:
    return ResNet1d(18, outputs=outputs, widths=(4, 4, 8, 8), block="basic", pooling="mean")


def state(run_dir: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return checkpoints.read(str(run_dir / "checkpoints" / f"{name}.ckpt")).state


def group_of(name: str) -> str:
    if name.startswith("stages."):
        return f"stage{int(name.split('.')[1]) + 1}"
    return "stem" if name.startswith("stem.") else "head"


def test_head_rows_go_by_term_and_the_rest_as_it_is() -> None:
    torch.manual_seed(0)
    old, new = network(3), network(4)
    before = new.head.weight.detach().clone()
    summary = take_weights(new, ["PVC", "NEW", "AFIB", "STACH"], old.state_dict(), ["AFIB", "PVC", "SBRAD"])
    assert (
        str(summary)
        == f"{len(old.state_dict()) - 2}/{len(old.state_dict())} tensors; head: 2 of 4 terms kept; fresh: NEW, STACH"
    )
    torch.testing.assert_close(new.head.weight[0], old.head.weight[1])
    torch.testing.assert_close(new.head.weight[2], old.head.weight[0])
    torch.testing.assert_close(new.head.bias[2], old.head.bias[0])
    torch.testing.assert_close(new.head.weight[[1, 3]], before[[1, 3]])
    for name, tensor in new.state_dict().items():
        if not name.startswith("head."):
            torch.testing.assert_close(tensor, old.state_dict()[name])


def test_the_same_terms_take_every_tensor_and_a_reset_head_none() -> None:
    old = network()
    terms = ["A", "B", "C"]
    summary = take_weights(network(), terms, old.state_dict(), terms)
    assert str(summary) == f"{len(old.state_dict())}/{len(old.state_dict())} tensors; head: 3 of 3 terms kept"
    assert take_weights(network(), terms, old.state_dict(), terms, reset_head=True).fresh_terms == terms


def test_tensors_that_are_missing_unexpected_or_of_another_shape_are_named() -> None:
    tensors = network().state_dict()
    tensors["stem.9.weight"] = tensors.pop("stem.0.weight")
    tensors["stages.0.0.body.0.weight"] = torch.zeros(1)
    with pytest.raises(UserError) as error:
        take_weights(network(), ["A"] * 3, tensors, ["A"] * 3)
    assert "missing: stem.0.weight" in str(error.value)
    assert "unexpected: stem.9.weight" in str(error.value)
    assert "of another shape: stages.0.0.body.0.weight (1,) for (4, 4, 3)" in str(error.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"schedule": {0: ["haed"]}},
            "there is no layer group 'haed'. Did you mean: 'head'? The network's: stem, stage1",
        ),
        ({"schedule": {1: "all"}}, "must say what is unfrozen at epoch 0"),
        ({"schedule": {0: 3}}, "finetune.schedule.0=3 must be a list, each item text, or text"),
        ({"layer_decay": 1.5}, "layer_decay=1.5 must be a number above 0 and at most 1"),
        ({"rates": {"stage9": 0.1}}, "there is no layer group 'stage9'"),
    ],
)
def test_a_schedule_that_cannot_be_is_explained(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        FineTune(**values).check(GROUPS)  # type: ignore[arg-type]


def test_the_schedule_is_a_function_of_the_epoch_and_rates_of_the_depth() -> None:
    finetune = FineTune(schedule={0: ["head"], 2: ["stage4", "head"], 4: "all"}, layer_decay=0.5, rates={"stem": 0.01})

    def unfrozen(epoch: int) -> list[str]:
        progress = Progress(finetune.stages)
        progress.start_epoch(epoch)  # as a run that goes on there, without any state
        return sorted(progress.stage.unfrozen(GROUPS))

    assert [unfrozen(epoch) for epoch in (0, 1, 2, 3)] == [["head"]] * 2 + [["head", "stage4"]] * 2
    assert unfrozen(4) == unfrozen(99) == sorted(GROUPS)
    assert finetune.lr_factors(GROUPS) == {
        "stem": 0.01, "stage1": 0.0625, "stage2": 0.125, "stage3": 0.25, "stage4": 0.5, "head": 1.0,
    }  # fmt: skip


def test_frozen_weights_and_statistics_do_not_move_by_a_bit(root: Path, parent: Path, tmp_path: Path) -> None:
    best = parent / "checkpoints" / "best.ckpt"
    common = (f"finetune.checkpoint={best}", "finetune.schedule={0: [head], 1: [stage4, head]}")
    first = state(small.fit(root, tmp_path / "one", *common, "trainer.max_epochs=1"))
    second = state(small.fit(root, tmp_path / "two", *common, "trainer.max_epochs=2"))
    start = checkpoints.read(str(best)).state
    moved = [{group_of(k) for k in start if not torch.equal(start[k], later[k])} for later in (first, second)]
    assert moved == [{"head"}, {"head", "stage4"}]
    statistics = [k for k in start if "running_" in k and group_of(k) == "stage4"]
    assert statistics
    assert all(torch.equal(start[k], first[k]) and not torch.equal(start[k], second[k]) for k in statistics)


IN_TURN = ("finetune.schedule={0: [head], 1: [stage4, head], 2: all}",)
AVERAGED_ADAPTERS = (
    "finetune.schedule={0: [head], 1: {groups: [stage3, stage4, head], when: plateau, patience: 1}, 3: {groups: all, when: plateau}}",
    "finetune.adapter={rank: 2, groups: [stage3]}", "optim.ema=0.9", "optim.lr=1e-7",  # so that the head improves nothing
)  # fmt: skip
"""A recipe with averaged weights, adapters, and an entry that waits: it begins in the third epoch, in which the run is killed."""


RECIPES = {
    "cosine": (*IN_TURN, "optim.schedule=cosine"),
    "plateau": (*IN_TURN, "optim.schedule=plateau"),
    "averaged_adapters": AVERAGED_ADAPTERS,
}
KILLED = """
import json, os, sys
sys.path[:0] = [sys.argv[1]]
import small
from pathlib import Path
from ecg_lightning.modules.base import ECGModule
from ecg_lightning.training import fit
step = ECGModule.training_step
def training_step(self, batch, batch_idx):
    if self.current_epoch == 2 and batch_idx == 1:
        os._exit(9)
    return step(self, batch, batch_idx)
ECGModule.training_step = training_step
for name, words in json.loads(sys.argv[4]).items():
    child = os.fork()
    if not child:
        small.fit(Path(sys.argv[2]), Path(sys.argv[3]) / name, *words)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 9, f"{name}: {status}"
"""
"""Each recipe in a process that ends at once in the middle of its third epoch; the imports, which take seconds, are shared."""


@pytest.fixture(scope="module")
def recipes(parent: Path) -> dict[str, tuple[str, ...]]:
    """The words of each recipe."""
    common = (f"finetune.checkpoint={parent}/checkpoints/best.ckpt", "trainer.max_epochs=4", "data.augment={gain: 0.2}")
    return {name: (*common, *words) for name, words in RECIPES.items()}


@pytest.fixture(scope="module")
def killed(root: Path, recipes: dict[str, tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the runs that were killed."""
    folder = tmp_path_factory.mktemp("killed")
    words = [str(Path(__file__).parents[1]), str(root), str(folder), json.dumps(recipes)]
    process = subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    root: Path, parent: Path, killed: Path, recipes: dict[str, tuple[str, ...]], tmp_path: Path, name: str
) -> None:
    common = recipes[name]
    whole = small.fit(root, tmp_path / "whole", *common)
    cut = killed / name  # then the same command again
    small.fit(root, cut, *common, "checkpoint_path=auto")
    weights, resumed_weights = state(whole), state(cut)
    assert weights.keys() == resumed_weights.keys()
    assert all(torch.equal(weights[name], resumed_weights[name]) for name in weights)
    optimizers = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["optimizer_states"][0]["state"]
        for run in (whole, cut)
    ]
    for number, moments in optimizers[0].items():
        assert all(
            torch.equal(torch.as_tensor(v), torch.as_tensor(optimizers[1][number][k])) for k, v in moments.items()
        )
    assert (whole / "metrics.csv").read_text() == (cut / "metrics.csv").read_text()
    epochs = [row["epoch"] for row in csv.DictReader((cut / "metrics.csv").read_text().splitlines())]
    assert epochs == ["0", "1", "2", "3"]
    if name == "averaged_adapters":
        check_averaged_adapters(whole, cut, checkpoints.read(str(parent / "checkpoints" / "best.ckpt")).state)


def check_averaged_adapters(whole: Path, cut: Path, start: dict[str, torch.Tensor]) -> None:
    """Compares what only this recipe has, and asks that what is published is what was validated: the average, merged."""
    first, second = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (whole, cut))
    for key in ("trained", "adapted", "state_dict"):
        assert all(torch.equal(first[key][name], second[key][name]) for name in first[key]), key
    assert first["callbacks"]["Freeze"] == second["callbacks"]["Freeze"]
    assert first["callbacks"]["Freeze"]["number"] == 1
    plain = state(whole)
    assert plain.keys() == start.keys()
    ups = [name for name in first["adapted"] if name.endswith(".up")]
    assert all(
        first["adapted"][name].any() and not torch.equal(first["adapted"][name], first["trained"][name]) for name in ups
    )
    weights = [name for name in first["adapted"] if name.endswith(".parametrizations.weight.original")]
    assert (
        len(weights)
        == len(ups)
        == len([name for name in start if group_of(name) == "stage3" and start[name].dim() > 1])
    )
    for name in weights:
        plain_name = name.removeprefix("network.").replace(".parametrizations.weight.original", ".weight")
        assert torch.equal(first["adapted"][name], start[plain_name])
        assert not torch.equal(plain[plain_name], start[plain_name])
    statistics = [name for name in start if "running_" in name and group_of(name) == "stage3"]
    assert all(torch.equal(plain[name], start[name]) for name in statistics)
    assert small.run("validate", [f"run_dir={cut}", "trainer.enable_progress_bar=false"]) == 0
    card = checkpoints.card_of(str(cut / "checkpoints" / "best.ckpt"))
    report = json.loads((cut / "val.json").read_text())
    assert report["metrics"]["auroc"] == pytest.approx(card.metrics["val/auroc"], abs=1e-6)
    url = checkpoints.publish(str(cut), "merged", str(cut))
    best = state(cut, "best")
    assert all(torch.equal(tensor, best[name]) for name, tensor in checkpoints.read(url).state.items())


def test_a_fine_tuned_checkpoint_names_its_parent(root: Path, parent: Path, tmp_path: Path) -> None:
    url = checkpoints.publish(str(parent), "parent-v1", str(tmp_path / "published"))
    run = small.fit(
        root, tmp_path / "child", f"finetune.checkpoint={url}", "data.label_space=[AFIB,SR]", "trainer.max_epochs=1"
    )
    card = checkpoints.card_of(str(run / "checkpoints" / "best.ckpt"))
    assert card.parent.name == "parent-v1"
    assert len(card.parent.sha256) == 64
    assert card.terms == ["AFIB", "SR"]


DDP = """
import sys
import torch
sys.path[:0] = [sys.argv[1]]
import small
from pathlib import Path
import ecg_lightning.modules.base as base
end = base.ECGModule.on_validation_epoch_end
def compare(self):
    end(self)
    flat = torch.cat([p.detach().flatten() for p in self.parameters()])
    both = self.all_gather(flat)
    assert len(both) == 2, both.shape
    assert torch.equal(both[0], both[1]), f'replicas differ in epoch {self.current_epoch}'
    (freeze,) = (each for each in self.trainer.callbacks if type(each).__name__ == 'Freeze')
    numbers = self.all_gather(torch.tensor(freeze.progress.number)).tolist()
    assert numbers == [min(self.current_epoch, 2)] * 2 or self.current_epoch == 1 and numbers in ([0, 0], [1, 1]), numbers
    if self.global_rank == 0:
        print('replicas equal', self.current_epoch, len(self.last.records), flush=True)
base.ECGModule.on_validation_epoch_end = compare
small.fit(Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
"""


def test_two_processes_keep_their_replicas_equal_through_unfreezing(root: Path, parent: Path, tmp_path: Path) -> None:
    script = tmp_path / "ddp.py"
    script.write_text(DDP)
    words = (
        f"finetune.checkpoint={parent}/checkpoints/best.ckpt", "optim.ema=0.9", "finetune.adapter={rank: 2, groups: [stage3]}",
        "finetune.schedule={0: [head], 1: {groups: [stage4, head], when: plateau, patience: 1}, 2: all}",
        "trainer.max_epochs=3", "trainer.devices=2", "trainer.strategy=ddp", "data.metadata=[age,sex]",
        "data.augment={lead_mask: 0.5}",
    )  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.run(
        [sys.executable, str(script), str(Path(__file__).parents[1]), str(root), str(tmp_path / "run"), *words],
        capture_output=True, text=True, check=False, env=environment, timeout=300,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-3000:]
    validated = len(
        np.unique([int(line.split()[-1]) for line in process.stdout.splitlines() if line.startswith("replicas equal")])
    )
    assert process.stdout.count("replicas equal") == 3, process.stdout
    assert validated == 1  # every record once, though the processes' shares are padded to equal length
