"""A transfer study: which archives, networks, sizes and seeds; and the trainings that it consists of."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from omegaconf import ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ecg_lightning.config.compose import as_dict, compose, find_config, load, merge, split_arguments
from ecg_lightning.config.schema import KEYS
from ecg_lightning.config.written import as_written
from ecg_lightning.errors import UserError, first_line, suggest

ALL = "all"
ARMS = {
    "small": "small alone",
    "large": "large alone",
    "tuned": "large, then small",
    "both": "both at once",
}
PREFIXES = ("large", "small", "both")
"""The beginnings of overrides for some of the trainings."""
LISTS = ("sizes", "seeds", "epochs", "tune_epochs", "rates", "tune_rates")


@dataclass
class Study:
    """What is compared. A list that goes with `sizes` has one value for all sizes, or one value for each size.

    Attributes:
        large: configuration of the training on the large archive; or a checkpoint of such a training, which is not trained again.
        small: configuration of the training on the small archive, with the best recipe for it alone.
        tune: configuration on top of `small` where training starts from the large archive's network.
        both: also train on both archives at once, by the recipe of `large` (a mix, see data/mixed.yaml); a key that
            begins with `both.` is for these trainings alone (`both.data.temperature=0.5`).
        sizes: numbers of the small archive's training recordings; `all` for every recording.
        seeds: number of subsets of each size, each with another initialisation.
        epochs: epochs of training from scratch; where it is empty, those of the configuration.
        tune_epochs: epochs of fine-tuning; where it is empty, those of the configuration.
        rates: learning rates of training from scratch; where it is empty, that of the configuration.
        tune_rates: learning rates of fine-tuning; where it is empty, that of the configuration.
        resamples: number of resamples of the bootstrap.
        run_dir: folder of the study; each training has a folder in it.
    """

    large: str
    small: str
    tune: str | None = None
    both: bool = False
    sizes: list[str] = field(default_factory=lambda: ["100", "200", "500", ALL])
    seeds: list[int] = field(default_factory=lambda: [1])
    epochs: list[int] = field(default_factory=list)
    tune_epochs: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    tune_rates: list[float] = field(default_factory=list)
    resamples: int = 1000
    run_dir: str = "runs/transfer"
    overrides: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for size in self.sizes:
            if size != ALL and not (size.isdecimal() and int(size) > 0):
                raise UserError(f"sizes: '{size}' is neither a number of recordings nor `{ALL}`.")
        if not self.sizes or len({*self.sizes}) < len(self.sizes):
            raise UserError(f"sizes=[{', '.join(self.sizes)}]: give one or more sizes, each once.")
        if self.both and not self.trains_large:
            raise UserError("both=true trains on the large archive: give a configuration as large, not a checkpoint.")
        for name in LISTS[1:]:
            values = getattr(self, name)
            if len(values) not in (1, len(self.sizes)) and (values or name == "seeds"):
                raise UserError(
                    f"{name} has {len(values)} values: give one, or one for each of the {len(self.sizes)} sizes."
                )
            if not all(value > 0 for value in values):
                raise UserError(f"{name}={values}: every value must be above 0.")
        if self.resamples < 1:
            raise UserError(f"resamples={self.resamples} must be 1 or more; 1000 is usual.")

    def at(self, name: str, size: str) -> float | None:
        """Returns the value of `epochs`, `rates` … for a size; None where the list is empty."""
        values: list[float] = getattr(self, name)
        return values[self.sizes.index(size) % len(values)] if values else None

    def seeds_at(self, size: str) -> int:
        """Returns the number of subsets of a size."""
        return int(self.at("seeds", size) or 1)

    @property
    def checkpoint(self) -> str:
        """The network of the large archive: the best one of its training, or the checkpoint that `large` names."""
        return str(self.folder("large") / "checkpoints" / "best.ckpt") if self.trains_large else self.large

    @property
    def trains_large(self) -> bool:
        """Whether `large` is a configuration."""
        return self.large.endswith((".yaml", ".yml")) or (not Path(self.large).suffix and _is_config(self.large))

    def folder(self, arm: str, size: str = "", seed: int = 0) -> Path:
        """Returns the folder of one training."""
        return Path(self.run_dir) / (f"{arm}-{size}-{seed}" if size else arm)

    def measured(self, arm: str, size: str = "", seed: int = 0, archive: str = "small") -> Path:
        """Returns the folder with test.json and predictions.parquet of a network on an archive: that of its training where it trained on it."""
        folder = self.folder(arm, size, seed)
        return folder if archive == ("large" if arm == "large" else "small") else folder / f"on_{archive}"

    def trainings(self) -> "list[Training]":
        """Returns all trainings, in an order in which they can be done."""
        trainings = (
            [Training("large", "", 0, self.folder("large"), tuple(self.configured("large")))]
            if self.trains_large
            else []
        )
        for size in self.sizes:
            for seed in range(self.seeds_at(size)):
                subset = [f"seed={seed}", f"data.subset_seed={seed}"]
                subset += [f"data.train_records={size}"] if size != ALL else []
                for arm in ("small", "tuned", *(["both"] if self.both else [])):
                    words = self.words_of_mix(subset) if arm == "both" else [*self.configured(arm), *subset]
                    prefix = "tune_" if arm == "tuned" else ""
                    for name, key in (("epochs", "trainer.max_epochs"), ("rates", "optim.lr")):
                        value = self.at(prefix + name, size)
                        words += [f"{key}={value}"] if value and arm != "both" else []
                    trainings.append(Training(arm, size, seed, self.folder(arm, size, seed), tuple(words)))
        return trainings

    def configured(self, arm: str) -> list[str]:
        """Returns the words of a command line that configure an arm's training, or the archive of that name in evaluation."""
        files = {
            "large": [self.large],
            "small": [self.small],
            "tuned": [self.small, *([self.tune] if self.tune else [])],
        }
        words = [word for file in files[arm] for word in ("--config", file)]
        archive = "large" if arm == "large" else "small"
        for override in self.overrides:
            first, _, rest = override.partition(".")
            if first not in PREFIXES:
                words.append(override)
            elif first == archive:
                words.append(rest)
        return words + ([f"finetune.checkpoint={self.checkpoint}"] if arm == "tuned" else [])

    def words_of_mix(self, subset: Sequence[str]) -> list[str]:
        """Returns the words that configure a training on both archives: the recipe of `large` on a mix of the two."""
        from ecg_lightning.datamodules.mixed import KEYS_OF_PARTS
        from ecg_lightning.datamodules.packed import PackedDataModule

        shared = {entry.name for entry in fields(PackedDataModule)} - KEYS_OF_PARTS
        large, small = (
            as_written(compose(words))["data"]
            for words in (self.configured("large"), [*self.configured("small"), *subset])
        )
        parts = [{key: value for key, value in data.items() if key not in shared} for data in (large, small)]
        data = {"name": "MixedDataModule", "parts": parts} | {key: small[key] for key in small if key in shared}
        overrides = [word.removeprefix("both.") for word in self.overrides if word.startswith("both.")]
        # `large.data.root=…` is in the part of the mix; on top of the mix it would be the folder of both parts.
        of_part = {word.removeprefix("large.") for word in self.overrides if word.startswith("large.data.")}
        recipe = [word for word in self.configured("large") if word not in of_part]
        return [*recipe, *(f"data.{key}={json.dumps(value)}" for key, value in data.items()), subset[0], *overrides]


@dataclass(frozen=True)
class Training:
    """One training of a study: its arm, size and seed, its folder, and the words that configure it."""

    arm: str
    size: str
    seed: int
    folder: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return ARMS[self.arm] + (f", {self.size} recordings, seed {self.seed}" if self.size else "")


def _is_config(name: str) -> bool:
    try:
        find_config(name)
    except UserError:
        return False
    return True


def read_study(arguments: Sequence[str]) -> Study:
    """Reads the study of a command line: a study file, its keys, and overrides for the trainings.

    `--study FILE` is a YAML file with `Study`'s keys, in which configurations may be relative to it; `--large FILE --sizes
    [100,all]` set single keys. Every other word is for all trainings (`trainer.accelerator=cpu`), or, after `large.` or
    `small.`, for those of one archive (`small.data.root=…`).

    Raises:
        UserError: for an unknown key or a value that does not fit.
    """
    keys = [entry.name for entry in fields(Study) if entry.name != "overrides"]
    values, overrides = OmegaConf.create(), []
    for key, value in split_arguments(arguments):
        first = key.partition(".")[0]
        key = key if "." in key else key.replace("-", "_")  # --tune-epochs
        if key == "study":
            values = merge(values, OmegaConf.create(_study_file(find_config(value), keys)))
        elif key in keys:
            try:
                values = merge(values, OmegaConf.from_dotlist([f"{key}={value}"]))
            except (YAMLError, OmegaConfBaseException) as error:
                raise UserError(f"transfer: '{key}={value}' cannot be read: {first_line(error)}") from error
        elif "." not in key:
            raise UserError(f"transfer: there is no key '{key}'. {suggest(key, keys)}Keys: {', '.join(keys)}.")
        elif first not in (*PREFIXES, *KEYS):
            raise UserError(
                f"transfer: '{key}' begins with no group of a configuration. {suggest(first, (*PREFIXES, *KEYS))}"
                f"For one archive alone write {', '.join(f'{prefix}.' for prefix in PREFIXES)} before a key."
            )
        else:
            overrides.append(f"{key}={value}")
    for key in ("large", "small"):
        if key not in values:
            raise UserError(f"transfer: --{key} is missing. Give the configuration of a training, as for `fit`.")
    for key in LISTS:
        if key in values and not isinstance(values[key], ListConfig):
            values[key] = [values[key]]
    try:
        study = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Study), values))
    except OmegaConfBaseException as error:
        raise UserError(f"transfer: {first_line(error)}") from error
    assert isinstance(study, Study)
    return replace(study, overrides=overrides)  # unresolved, since each training resolves its overrides


def _study_file(path: Path, keys: Sequence[str]) -> dict[str, object]:
    """Reads a study file; names of configurations in the same folder become paths."""
    values: dict[str, object] = as_dict(load(path))
    for key, value in values.items():
        if key not in keys:
            raise UserError(f"{path}: there is no key '{key}'. {suggest(key, keys)}Keys: {', '.join(keys)}.")
        if key in ("large", "small", "tune") and (path.parent / str(value)).is_file():
            values[key] = str(path.parent / str(value))
    return values
