"""A whole configuration: composed once, and checked once, before anything heavy is imported."""

from collections.abc import Iterable, Sequence

from omegaconf import DictConfig

from ecg_lightning.config.compose import compose
from ecg_lightning.config.schema import check, check_paths


def experiment(words: Sequence[str], needed: Iterable[str] = ("data", "model"), download: bool = False) -> DictConfig:
    """Composes and checks the configuration that some words of a command line describe: `--config FILE` and `key=value`.

    Args:
        words: from left to right; without any `--config`, `conf/default.yaml` is the start.
        needed: the groups that must be there.
        download: whether `data.root` may still be missing.

    Raises:
        UserError: for a missing file, a mistyped key, a value of a wrong type or out of its range, or a missing folder.
    """
    config = compose(words)
    check(config, needed)
    if not download:
        check_paths(config)
    return config
