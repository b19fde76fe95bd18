"""Checkpoints as artifacts at W&B: what a run starts from, and what is published from it, with its lineage."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecg_lightning.checkpoints.card import Card, Parent
from ecg_lightning.checkpoints.checkpoint import parse, sha256_of
from ecg_lightning.checkpoints.foreign.names import is_foreign
from ecg_lightning.checkpoints.places import locate
from ecg_lightning.checkpoints.reading import read
from ecg_lightning.checkpoints.storage import read_bytes
from ecg_lightning.config.compose import compose
from ecg_lightning.config.schema import build
from ecg_lightning.training.logger import Logging
from ecg_lightning.training.wandb_run import RunLogger
from ecg_lightning.training.wandb_server import failures_to, print_line

if TYPE_CHECKING:
    from wandb import Artifact

KIND = "model"
"""The type of the artifacts."""


def log_parent(log: RunLogger, name: str) -> None:
    """Logs the checkpoint that a run starts from as an artifact that the run uses.

    The same file has the same version of the artifact as when it was published. Of a checkpoint without a published name the
    artifact holds the card alone: such a file may belong to another project, or be a run's own.

    Args:
        log: of the run.
        name: of the checkpoint, as `finetune.checkpoint` gives it.
    """
    with failures_to(lambda reason: print_line(f"{name} is not logged as an artifact ({reason}).")):
        checkpoint, content = read(name), None
        if checkpoint.card.name is not None and not is_foreign(name):
            content = read_bytes(locate(name))
        title = checkpoint.card.name or checkpoint.title
        log.log_artifact(artifact_of(title, checkpoint.card, checkpoint.sha256, content), is_input=True)


def log_published(run_dir: Path, url: str) -> None:
    """Logs a checkpoint that was published from a run as an artifact of that run, where its configuration asks for it.

    It prints one line where W&B fails, and raises nothing: the checkpoint is published.

    Args:
        run_dir: the run's folder.
        url: where the checkpoint was published.
    """
    with failures_to(lambda reason: print_line(f"the checkpoint is not logged as an artifact ({reason}).")):
        config = compose(["--config", str(run_dir / "config.yaml")])
        logging: Logging = build("logger", config.get("logger") or {})
        log = logging.resume(run_dir) if logging.artifacts else None
        if log is None:
            return
        try:
            content = read_bytes(url)
            card = parse(content, url)[0]
            log.log_artifact(artifact_of(str(card.name), card, sha256_of(content), content))
        finally:
            logging.finish()


def artifact_of(name: str, card: Card, sha256: str, content: bytes | None = None) -> "Artifact":
    """Returns the artifact of a checkpoint.

    Args:
        name: of the artifact; characters that W&B does not allow become hyphens.
        card: of the checkpoint.
        sha256: of its file.
        content: of its file, which the artifact then holds; with None it holds the card alone.
    """
    import wandb

    title = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")
    artifact = wandb.Artifact(title, type=KIND, description=_description(card), metadata=_metadata(card, sha256))
    file_name = "card.json" if content is None else f"{title}.safetensors"
    with artifact.new_file(file_name, mode="wb") as file:
        file.write(card.to_json().encode() if content is None else content)
    return artifact


def _description(card: Card) -> str:
    """Returns one sentence on a checkpoint."""
    origin = "from scratch" if card.parent is None else f"from {card.parent.name}"
    return f"{card.model['name']} for {len(card.terms)} terms, trained on {card.data.source} {origin}."


def _metadata(card: Card, sha256: str) -> dict[str, Any]:
    """Returns what a team filters checkpoints by, with the names and hashes of all ancestors."""
    lineage, ancestor = list[dict[str, str]](), card.parent
    while isinstance(ancestor, Parent):
        lineage.append({"name": ancestor.name, "sha256": ancestor.sha256, "source": ancestor.data.source})
        ancestor = ancestor.parent
    macro = {name: value for name, value in card.metrics.items() if name.count("/") == 1 and "@" not in name}
    return {
        "sha256": sha256, "model": card.model["name"], "terms": card.terms, "source": card.data.source,
        "records": card.data.records, "epoch": card.epoch, "metrics": macro, "licence": card.licence,
        "provenance": asdict(card.provenance), "lineage": lineage,
    }  # fmt: skip
