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
from ecg_lightning.errors import UserError, suggest

ALL = "all"
ARMS = {
    "small": "small alone",
    "large": "large alone",
    "tuned": "large, then small",
    "both": "both at once",
}
PREFIXES = ("large", "small", "both")
"""What an override for the trainings of one archive begins with."""
LISTS = ("sizes", "seeds", "epochs", "tune_epochs", "rates", "tune_rates")


@dataclass
class Study:
    """What is compared. Lists that go with `sizes` have one value for all sizes, or one a size.

    Attributes:
        large: configuration of the training on the large archive; or a checkpoint of it, which is then used as it is.
        small: configuration of the training on the small archive, with the best recipe for it alone.
        tune: configuration on top of `small` where training starts from the large archive's network.
        both: also train on both archives at once, by the recipe of `large` (a mix, see data/mixed.yaml); `both.` before
            a key concerns these trainings alone (``both.data.temperature=0.5``).
        sizes: numbers of the small archive's training recordings; `all` for every one.
        seeds: subsets of each size, each with another initialisation.
        epochs: of training from scratch; those of the configuration where not given.
        tune_epochs: of fine-tuning; those of the configuration where not given.
        rates: learning rates of training from scratch; that of the configuration where not given.
        tune_rates: of fine-tuning; that of the configuration where not given.
        resamples: of the bootstrap.
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
            raise UserError("both: needs the large archive itself, as a configuration in place of a checkpoint.")
        for name in LISTS[1:]:
            given = getattr(self, name)
            if len(given) not in (1, len(self.sizes)) and (given or name == "seeds"):
                raise UserError(
                    f"{name} has {len(given)} values: give one, or one for each of the {len(self.sizes)} sizes."
                )
            if not all(value > 0 for value in given):
                raise UserError(f"{name}={given}: every value must be above 0.")
        if self.resamples < 1:
            raise UserError(f"resamples={self.resamples} must be 1 or more; 1000 is usual.")

    def at(self, name: str, size: str) -> float | None:
        """The value of `epochs`, `rates` … for a size; None where nothing is given."""
        given: list[float] = getattr(self, name)
        return given[self.sizes.index(size) % len(given)] if given else None

    def seeds_at(self, size: str) -> int:
        """How many subsets of a size there are."""
        return int(self.at("seeds", size) or 1)

    @property
    def checkpoint(self) -> str:
        """The network of the large archive: where it is trained to, or the checkpoint that was given."""
        return str(self.folder("large") / "checkpoints" / "best.ckpt") if self.trains_large else self.large

    @property
    def trains_large(self) -> bool:
        """Whether `large` is a configuration."""
        return self.large.endswith((".yaml", ".yml")) or (not Path(self.large).suffix and _is_config(self.large))

    def folder(self, arm: str, size: str = "", seed: int = 0) -> Path:
        """The folder of one training."""
        return Path(self.run_dir) / (f"{arm}-{size}-{seed}" if size else arm)

    def measured(self, arm: str, size: str = "", seed: int = 0, archive: str = "small") -> Path:
        """The folder with test.json and test.npz of a network on an archive: its own folder where it is its own archive."""
        folder = self.folder(arm, size, seed)
        return folder if archive == ("large" if arm == "large" else "small") else folder / f"on_{archive}"

    def trainings(self) -> "list[Training]":
        """All trainings, in the order in which they can be done."""
        found = (
            [Training("large", "", 0, self.folder("large"), tuple(self.configured("large")))]
            if self.trains_large
            else []
        )
        for size in self.sizes:
            for seed in range(self.seeds_at(size)):
                subset = [f"seed={seed}", f"data.subset_seed={seed}"]
                subset += [f"data.train_records={size}"] if size != ALL else []
                for arm in ("small", "tuned", *(["both"] if self.both else [])):
                    words = self.mixed(subset) if arm == "both" else [*self.configured(arm), *subset]
                    prefix = "tune_" if arm == "tuned" else ""
                    for name, key in (("epochs", "trainer.max_epochs"), ("rates", "optim.lr")):
                        value = self.at(prefix + name, size)
                        words += [f"{key}={value}"] if value and arm != "both" else []
                    found.append(Training(arm, size, seed, self.folder(arm, size, seed), tuple(words)))
        return found

    def configured(self, arm: str) -> list[str]:
        """The words of the command line that configure an arm's training, or the archive of that name in evaluation."""
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

    def mixed(self, subset: Sequence[str]) -> list[str]:
        """The words that configure a training on both archives: the recipe of `large` on a mix of the two."""
        from ecg_lightning.datamodules.mixed import KEYS_OF_PARTS
        from ecg_lightning.datamodules.packed import PackedDataModule

        shared = {entry.name for entry in fields(PackedDataModule)} - KEYS_OF_PARTS
        large, small = (
            as_written(compose(words))["data"]
            for words in (self.configured("large"), [*self.configured("small"), *subset])
        )
        parts = [{key: value for key, value in data.items() if key not in shared} for data in (large, small)]
        data = {"name": "MixedDataModule", "parts": parts} | {key: small[key] for key in small if key in shared}
        own = [word.removeprefix("both.") for word in self.overrides if word.startswith("both.")]
        # `large.data.root=…` is in its part; on top of the mix it would be the folder of both.
        of_part = {word.removeprefix("large.") for word in self.overrides if word.startswith("large.data.")}
        recipe = [word for word in self.configured("large") if word not in of_part]
        return [*recipe, *(f"data.{key}={json.dumps(value)}" for key, value in data.items()), subset[0], *own]


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
    """The study of a command line: a study file, its keys, and overrides for the trainings.

    ``--study FILE`` is a YAML file of `Study`'s keys, configurations relative to it; ``--large FILE --sizes [100,all]``
    set single keys. Whatever else is given goes to all trainings (``trainer.accelerator=cpu``), or, after ``large.`` or
    ``small.``, to those of one archive (``small.data.root=…``).

    Raises:
        UserError: for an unknown key or a value that does not fit.
    """
    keys = [entry.name for entry in fields(Study) if entry.name != "overrides"]
    given, overrides = OmegaConf.create(), []
    for key, value in split_arguments(arguments):
        first = key.partition(".")[0]
        key = key if "." in key else key.replace("-", "_")  # --tune-epochs
        if key == "study":
            given = merge(given, OmegaConf.create(_study_file(find_config(value), keys)))
        elif key in keys:
            try:
                given = merge(given, OmegaConf.from_dotlist([f"{key}={value}"]))
            except (YAMLError, OmegaConfBaseException) as error:
                raise UserError(f"transfer: '{key}={value}' cannot be read: {_first_line(error)}") from error
        elif "." not in key:
            raise UserError(f"transfer: there is no key '{key}'. {suggest(key, keys)}Keys: {', '.join(keys)}.")
        elif first not in (*PREFIXES, *KEYS):
            raise UserError(
                f"transfer: '{key}' begins with no group of a configuration. {suggest(first, (*PREFIXES, *KEYS))}"
                f"For one archive alone write {', '.join(f'{each}.' for each in PREFIXES)} before a key."
            )
        else:
            overrides.append(f"{key}={value}")
    for key in ("large", "small"):
        if key not in given:
            raise UserError(f"transfer: which archives? --{key} is missing, a configuration as for `fit`.")
    for key in LISTS:
        if key in given and not isinstance(given[key], ListConfig):
            given[key] = [given[key]]
    try:
        study = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Study), given))
    except OmegaConfBaseException as error:
        raise UserError(f"transfer: {_first_line(error)}") from error
    assert isinstance(study, Study)
    return replace(study, overrides=overrides)  # as they are written: each training resolves its own


def _study_file(path: Path, keys: Sequence[str]) -> dict[str, object]:
    """A study file; names of configurations that lie beside it become paths."""
    found: dict[str, object] = as_dict(load(path))
    for key, value in found.items():
        if key not in keys:
            raise UserError(f"{path}: there is no key '{key}'. {suggest(key, keys)}Keys: {', '.join(keys)}.")
        if key in ("large", "small", "tune") and (path.parent / str(value)).is_file():
            found[key] = str(path.parent / str(value))
    return found


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
