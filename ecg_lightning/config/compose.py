"""An experiment's configuration: files, each over its own `defaults:`, and `key=value` overrides, merged from left to right."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ecg_lightning.config.environment import settle
from ecg_lightning.config.paths import expanded
from ecg_lightning.config.yaml_file import read_yaml
from ecg_lightning.errors import UserError, first_line, suggest

NAMED = {"data": "ecg_lightning.datamodules", "model": "ecg_lightning.modules"}
"""Groups whose `name` chooses a class, and the package that offers the choices."""
REPLACED = ("finetune.schedule", "finetune.rates")
"""Mappings that a later one replaces whole: an epoch of the old schedule has no place in the new one."""


def conf_folder() -> Path:
    """Returns the folder of shipped configurations: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())


def find_config(name: str) -> Path:
    """Finds a configuration file by its path or, where there is none, by its name under `conf/` (`experiment/ptbxl_small`).

    Raises:
        UserError: naming the nearest shipped files.
    """
    folder = conf_folder()
    if not name or "\0" in name:
        raise UserError(f"--config needs the path or the name of a file; it was {name!a}.")
    candidates = [
        expanded(name, "--config"),
        *(folder / f"{part}{end}" for part in (name, name.removeprefix("conf/")) for end in ("", ".yaml")),
    ]
    for path in candidates:
        if path.is_file():
            return path
    if candidates[0].is_dir():
        raise UserError(f"--config: '{name}' is a folder. Give the path of a file in it.")
    shipped = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))
    hint = suggest(name.removeprefix("conf/").removesuffix(".yaml"), shipped, 3)
    raise UserError(
        f"There is no configuration file '{name}'. {hint.strip() or 'Shipped with the package: ' + ', '.join(shipped) + '.'}"
    )


def merge(base: DictConfig, layer: DictConfig, from_file: bool = True) -> DictConfig:
    """Merges `layer` over `base`.

    A group whose `name` a file gives starts anew, since its arguments belong to what is named: a file that says
    ResNet1d18 means just that, whatever network the files before it described. The same goes for `REPLACED`. An
    override only changes what it says, unless it names another class.

    Raises:
        UserError: where a list would lie over a mapping, or the reverse.
    """
    for group in NAMED:
        old, new = (OmegaConf.select(part, f"{group}.name") for part in (base, layer))
        if new is not None and (from_file or old not in (None, new)):
            base = OmegaConf.masked_copy(base, [str(key) for key in base if key != group])
    for path in REPLACED if from_file else ():
        if OmegaConf.select(layer, path) is not None and OmegaConf.select(base, path) is not None:
            OmegaConf.update(base, path, None, merge=False)
    if clash := _clash(base, layer):
        raise UserError(clash)
    merged = OmegaConf.merge(base, layer)
    assert isinstance(merged, DictConfig)
    return merged


def _clash(base: DictConfig, layer: DictConfig, path: str = "") -> str:
    """Says what is wrong where a list lies over a mapping, or the reverse; empty where nothing is."""
    for key in map(str, layer):
        # The nodes themselves: to read a value would resolve an interpolation, which later layers may complete.
        old, new = base._get_node(key), layer._get_node(key)
        where = f"{path}{key}"
        if isinstance(old, DictConfig) and isinstance(new, DictConfig):
            if inner_clash := _clash(old, new, f"{where}."):
                return inner_clash
        elif isinstance(old, DictConfig) and isinstance(new, ListConfig):
            return f"{where} is a mapping, and a list is given for it; write {{key: value}}."
        elif isinstance(old, ListConfig) and isinstance(new, DictConfig):
            return f"{where} is a list, and a mapping is given for it; write [value]."
    return ""


def load(path: Path, above: tuple[Path, ...] = ()) -> DictConfig:
    """Reads one file over the files that its `defaults:` lists, each relative to it.

    Args:
        path: of the file.
        above: the files whose defaults lead to this one.

    Raises:
        UserError: where the file is not a YAML mapping, a default is not there, or defaults lead back to a file.
    """
    if path.resolve() in above:
        circle = " → ".join(file.name for file in (*above[above.index(path.resolve()) :], path))
        raise UserError(f"{above[-1]}: its defaults lead back to {path.name}, without end: {circle}.")
    layer = read_yaml(path)
    defaults = layer.pop("defaults", ListConfig([]))
    if not isinstance(defaults, ListConfig) or not all(isinstance(name, str) for name in defaults):
        raise UserError(f"{path}: defaults must be a list of files, for example [../default.yaml]; it is {defaults}.")
    config = OmegaConf.create()
    for name in defaults:
        near = path.parent / expanded(name, f"{path}: defaults")
        config = merge(config, load(near if near.is_file() else find_config(name), (*above, path.resolve())))
    return merge(config, layer)


def split_arguments(arguments: Iterable[str]) -> list[tuple[str, str]]:
    """Splits command-line words into (key, value): `a.b=c`, `--a.b=c` and `--a.b c`.

    Raises:
        UserError: for a word that is neither.
    """
    words, pairs = iter(arguments), []
    for word in words:
        key, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            following = next(words, None) if word.startswith("--") else None
            if following is None:
                raise UserError(f"'{word}' is not an override. Write key=value, for example optim.lr=1e-3.")
            value = following
        pairs.append((key, value))
    return pairs


def compose(arguments: Iterable[str]) -> DictConfig:
    """Composes the configuration of a command line: `--config` files and overrides, from left to right.

    Without any `--config`, `conf/default.yaml` is the start. References between keys (`${data.root}`) are resolved
    at the end, so that they see later overrides. What comes from the environment (`${oc.env:NAME}`) stays as it is
    written, and is resolved whenever it is read.

    Raises:
        UserError: for a missing file, a malformed override or an interpolation that leads nowhere.
    """
    pairs = split_arguments(arguments)
    if not any(key == "config" for key, _ in pairs):
        pairs.insert(0, ("config", "default"))
    config = OmegaConf.create()
    before: list[tuple[str, str]] = []  # overrides that stand before a file
    for is_file, group in groupby(pairs, lambda pair: pair[0] == "config"):
        if is_file:
            for _, name in group:
                merged = merge(config, load(find_config(name)))
                _note_undone(before, config, merged, name)
                config = merged
        else:  # overrides are one layer, so that model.depth=… may stand before model.name=…
            overrides = list(group)
            for path in {key for key, _ in overrides}.intersection(REPLACED):
                OmegaConf.update(config, path, None, merge=False)
            config = merge(config, _overrides(overrides), from_file=False)
            before += overrides
    settle(config)
    return config


def _note_undone(overrides: Sequence[tuple[str, str]], before: DictConfig, after: DictConfig, name: str) -> None:
    """Tells the user of overrides that a later file sets to something else: the order is right, and seldom meant."""
    for key, value in overrides:
        old, new = (OmegaConf.select(config, key, throw_on_resolution_failure=False) for config in (before, after))
        if old != new:
            print(
                f"{key}={value} has no effect: it stands before --config {name}, which sets it to {'null' if new is None else new}. "
                "Write it after the file.",
                file=sys.stderr,
            )


def _overrides(pairs: Sequence[tuple[str, str]]) -> DictConfig:
    layer = OmegaConf.create()
    for key, value in pairs:
        try:
            override = OmegaConf.from_dotlist([f"{key}={value}"])
            layer = merge(layer, override, from_file=False)
        except (YAMLError, OmegaConfBaseException, ValueError) as error:
            raise UserError(f"The override '{key}={value}' cannot be read: {first_line(error)}") from error
        except RecursionError as error:
            raise UserError(f"The override of '{key}' is nested too deeply.") from error
    return layer


def as_dict(config: DictConfig) -> dict[str, Any]:
    """Returns the configuration as plain dicts and lists, with the values of the environment: for what is built from it."""
    return {str(key): value for key, value in plain(config).items()}


def plain(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Returns some part of a configuration as plain dicts and lists."""
    if not isinstance(values, DictConfig):
        return dict(values)
    container = OmegaConf.to_container(values, resolve=True)
    assert isinstance(container, dict)
    return container


def with_run_config(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments, after the run's own config.yaml where `run_dir=` names a run and no `--config` is given.

    The folder may be a colleague's: its configuration may name no class outside of the package that the arguments do not
    name, too.

    Raises:
        UserError: where it does.
    """
    pairs = split_arguments(arguments)
    run_dir = dict(pairs).get("run_dir")
    path = expanded(run_dir or ".", "run_dir") / "config.yaml"
    if run_dir is None or any(key == "config" for key, _ in pairs) or not path.is_file():
        return list(arguments)
    words = ["--config", str(path), "checkpoint_path=null", *arguments]
    config = as_dict(compose(words))  # resolved: `oc.decode` can make a whole mapping out of a text
    trusted_names = {value for key, value in pairs if key.endswith("name")}
    for group in NAMED:
        for name in _class_names(config.get(group)):
            if "." in name and name not in trusted_names:
                raise UserError(
                    f"{path} names the class '{name}', which is not one of ecg_lightning's. If you know this class and trust "
                    f"it, name it yourself: {group}.name={name}."
                )
    return words


def _class_names(values: Any) -> list[str]:
    """Returns every `name` in a group of a resolved configuration, those of the parts of a mix too."""
    if isinstance(values, list):
        return [name for item in values for name in _class_names(item)]
    if not isinstance(values, dict):
        return []
    return [
        name
        for key, value in values.items()
        for name in ([value] if key == "name" and isinstance(value, str) else _class_names(value))
    ]


def experiment_name(arguments: Sequence[str]) -> str:
    """Returns the stem of the last `--config` file, which names a run's folder; `default` where there is none."""
    files = [value for key, value in split_arguments(arguments) if key == "config"]
    return Path(files[-1]).stem if files else "default"


def new_run_dir(name: str) -> str:
    """Names a folder for a run that was given none: `runs/<name>/<time>`."""
    return str(Path("runs") / name / datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
