"""The house: imports point downwards, in no circle; files can be read in one sitting."""

import ast
import graphlib
import subprocess
import sys
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "ecg_lightning"
FLOORS = (
    "__init__ main commands", "sweep transfer service export", "training evaluation report", "checkpoints", "modules datamodules",
    "checkpoints.card checkpoints.card_values models transforms store metrics figures", "config", "simulator download", "labels records", "files processes", "errors",
)  # fmt: skip
"""From the roof down; what a module does not say more precisely goes by its room. The card is what modules write."""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


@cache
def imports() -> set[tuple[str, str]]:
    """Who imports whom, wherever in a file."""
    modules = {name_of(path) for path in PACKAGE.rglob("*.py")}
    edges = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ecg_lightning"):
                room = (node.module or "").removeprefix("ecg_lightning").removeprefix(".")
                for alias in node.names:
                    inner = f"{room}.{alias.name}".removeprefix(".")
                    edges.add((name_of(path), inner if inner in modules else room))
    return edges


def floor_of(module: str) -> int:
    floors = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
    return floors.get(module, floors.get(module.partition(".")[0], len(FLOORS)))


def test_imports_point_downwards() -> None:
    edges = imports()
    assert len(edges) > 300
    upwards = [(a, b) for a, b in sorted(edges) if floor_of(a) > floor_of(b) and a != "__main__"]
    assert not upwards
    graph: dict[str, set[str]] = {}
    for a, b in edges:
        graph.setdefault(a, set()).add(b)
    graphlib.TopologicalSorter(graph).prepare()  # raises where there is a circle


ASSIGNED = {
    "sys.stdout", "sys.stderr",  # the program's own streams
    "config.run_dir",  # a configuration, completed before it is used
    "BaseContainer._resolvers",  # OmegaConf's resolvers, replaced for a moment
    "BaseContainer._resolve_node_interpolation",  # counted for a moment, since OmegaConf has no limit
    "filesystem.retries",  # a setting of s3fs without an argument
    "slot.last_beat", "slot.beats", "slot.pruned",  # a sweep's notes on a process
    "conditions.pr", "conditions.qrs", "conditions.qt",  # the simulator's plan of recordings while it is made
    "waves.vector", "ectopic.vector", "waves.left", "waves.right",
}  # fmt: skip
"""Attributes that code outside of their class sets. No module, datamodule or network is among them."""


def test_objects_are_whole_when_they_are_constructed() -> None:
    assigned = {
        ast.unparse(node)
        for folder in (PACKAGE, PACKAGE.parent / "experiments")
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del)
    }
    assert {name for name in assigned if not name.startswith(("self.", "cls."))} - ASSIGNED == set()


def test_leaves_know_nothing_of_the_rest() -> None:
    for room, allowed in (
        ("models", {"models", "errors", "ranges"}),
        ("simulator", {"simulator", "errors", "records.leads", "records.record"}),
    ):
        reached = {b for a, b in imports() if a.partition(".")[0] == room}
        assert {b for b in reached if b.partition(".")[0] not in allowed and b not in allowed} == set()


def test_names_of_splits_are_cheap_to_import() -> None:
    heavy = "[m for m in ('torch', 'lightning', 'pandas', 'numpy') if m in sys.modules]"
    program = f"import sys; from ecg_lightning.ranges import FOLDS, SPLITS; print({heavy})"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
