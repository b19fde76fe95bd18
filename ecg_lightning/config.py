"""An experiment's configuration: files and overrides are composed, checked against the constructors, and built.

``compose`` merges from left to right: files (each over its own ``defaults:``), then ``key=value`` overrides.
``check`` compares every key and type with the constructors' signatures, without importing them. ``build`` makes one object.
"""

import difflib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, make_dataclass
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, Optional, Union

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ecg_lightning.errors import UserError
from ecg_lightning.signatures import REQUIRED, Signature, exports, signature_of

NAMED = {"data": "ecg_lightning.datamodules", "model": "ecg_lightning.models"}
"""Groups whose ``name`` chooses a class, and the package that offers the choices."""
FIXED = {
    "optim": ("ecg_lightning.optim", "Optim"),
    "finetune": ("ecg_lightning.finetune", "FineTune"),
    "trainer": ("lightning.pytorch", "Trainer"),
    "logger": ("ecg_lightning.logger", "Logging"),
}
"""Groups that always configure the same class."""
REPLACED = ("finetune.schedule", "finetune.rates")
"""Mappings that a later one replaces whole: an epoch of the old schedule has no place in the new one."""
SCALARS = {"seed": int, "run_dir": str, "checkpoint_path": str}
KEYS = ("seed", "data", "model", "optim", "finetune", "trainer", "logger", "run_dir", "checkpoint_path")
SUPPLIED = {
    "data": {"seed"},
    "model": {"terms", "leads"},  # the label space and the leads of the data
    "trainer": {"callbacks", "logger", "default_root_dir", "plugins", "use_distributed_sampler"},
}
"""Arguments that the framework passes itself."""
_TYPES = {"Any": Any, "Optional": Optional, "Union": Union, "Literal": Literal, "Sequence": list, "Path": str}


def conf_folder() -> Path:
    """The folder of shipped configurations: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return next(folder for folder in (package / "conf", package.parent / "conf") if folder.is_dir())


def find_config(name: str) -> Path:
    """A configuration file by its path or, where there is none, by its name under ``conf/`` (``experiment/ptbxl_small``).

    Raises:
        UserError: naming the nearest shipped files.
    """
    folder = conf_folder()
    tried = [
        Path(name),
        *(folder / f"{part}{end}" for part in (name, name.removeprefix("conf/")) for end in ("", ".yaml")),
    ]
    for path in tried:
        if path.is_file():
            return path
    shipped = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))
    near = difflib.get_close_matches(name.removeprefix("conf/").removesuffix(".yaml"), shipped, n=3, cutoff=0.5)
    hint = f"Did you mean: {', '.join(near)}?" if near else f"Shipped with the package: {', '.join(shipped)}."
    raise UserError(f"There is no configuration file '{name}'. {hint}")


def merge(base: DictConfig, layer: DictConfig, from_file: bool = True) -> DictConfig:
    """``layer`` over ``base``.

    A group whose ``name`` a file gives starts anew, since its arguments belong to what is named: a file that says
    ResNet1d18 means just that, whatever network the files before it described. The same goes for ``REPLACED``. An
    override only changes what it says, unless it names another class.
    """
    for group in NAMED:
        old, new = (OmegaConf.select(part, f"{group}.name") for part in (base, layer))
        if new is not None and (from_file or old not in (None, new)):
            base = OmegaConf.masked_copy(base, [str(key) for key in base if key != group])
    for path in REPLACED if from_file else ():
        if OmegaConf.select(layer, path) is not None and OmegaConf.select(base, path) is not None:
            OmegaConf.update(base, path, None, merge=False)
    merged = OmegaConf.merge(base, layer)
    assert isinstance(merged, DictConfig)
    return merged


def load(path: Path) -> DictConfig:
    """One file over the files that its ``defaults:`` lists, each relative to it.

    Raises:
        UserError: where the file is not a YAML mapping, or a default is not there.
    """
    try:
        layer = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(layer, DictConfig):
        raise UserError(f"{path} must be a mapping of keys to values.")
    config = OmegaConf.create()
    for name in layer.pop("defaults", []):
        near = path.parent / name
        config = merge(config, load(near if near.is_file() else find_config(name)))
    return merge(config, layer)


def split_arguments(arguments: Iterable[str]) -> list[tuple[str, str]]:
    """Command-line words as (key, value): ``a.b=c``, ``--a.b=c`` and ``--a.b c``.

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
    """The configuration of a command line: ``--config`` files and overrides, from left to right.

    Without any ``--config``, ``conf/default.yaml`` is the start. Interpolations are resolved at the end, so that they
    see later overrides.

    Raises:
        UserError: for a missing file, a malformed override or an interpolation that leads nowhere.
    """
    pairs = split_arguments(arguments)
    if not any(key == "config" for key, _ in pairs):
        pairs.insert(0, ("config", "default"))
    config = OmegaConf.create()
    for is_file, group in groupby(pairs, lambda pair: pair[0] == "config"):
        if is_file:
            for _, name in group:
                config = merge(config, load(find_config(name)))
        else:  # overrides are one layer, so that model.depth=… may stand before model.name=…
            overrides = list(group)
            for path in {key for key, _ in overrides}.intersection(REPLACED):
                OmegaConf.update(config, path, None, merge=False)
            config = merge(config, _overrides(overrides), from_file=False)
    try:
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:
        raise UserError(f"An interpolation cannot be resolved: {_first_line(error)}") from error
    return config


def _overrides(pairs: Sequence[tuple[str, str]]) -> DictConfig:
    layer = OmegaConf.create()
    for key, value in pairs:
        try:
            one = OmegaConf.from_dotlist([f"{key}={value}"])
            layer = merge(layer, one, from_file=False)
        except (YAMLError, OmegaConfBaseException) as error:
            raise UserError(f"The override '{key}={value}' cannot be read: {_first_line(error)}") from error
    return layer


def signature_for(group: str, values: Mapping[str, Any]) -> Signature:
    """The signature that a group of the configuration is checked against.

    Raises:
        UserError: where ``name`` is missing or unknown; the message lists the choices.
    """
    if group in FIXED:
        return signature_of(*FIXED[group])
    name, offered = values.get("name"), exports(NAMED[group])
    if name is None:
        raise UserError(f"{group}.name is missing. {_choices(offered)}")
    if name in offered:
        return signature_of(offered[name], name)
    module, _, own = str(name).rpartition(".")
    if module:  # a class of the user's own: my_package.my_module.MyDataModule
        return signature_of(module, own)
    raise UserError(f"{group}.name: there is no '{name}'. {suggest(str(name), offered)}{_choices(offered)}")


def schema(signature: Signature, supplied: Iterable[str] = ()) -> DictConfig:
    """A structured config of a constructor: its arguments, their types, their defaults."""
    fields = []
    for argument in signature.arguments.values():
        if argument.name in supplied:
            continue
        hint = _hint(argument.annotation)
        # A default stays with the constructor: only keys that were given are passed on.
        fields.append((argument.name, hint, field(default="???")))
    config: DictConfig = OmegaConf.structured(make_dataclass(signature.name, fields))
    return config


def arguments_for(group: str, values: Mapping[str, Any], supplied: Iterable[str] = ()) -> dict[str, Any]:
    """The given values of one group, converted to the constructor's types.

    Raises:
        UserError: for an unknown key (with a suggestion), a wrong type, or a required argument that is missing.
    """
    supplied = {*supplied, *SUPPLIED.get(group, ())}
    signature = signature_for(group, values)
    given = {key: value for key, value in values.items() if not (key == "name" and group in NAMED)}
    known = [name for name in signature.arguments if name not in supplied]
    for key in given:
        if key not in known:
            raise UserError(
                f"{group}: Key '{key}' not in '{signature.name}'. {suggest(key, known)}{_choices(known, 'Keys')}"
            )
    config = schema(signature, supplied)
    for key, value in given.items():
        try:
            with warnings.catch_warnings():
                # OmegaConf warns of every conversion: 3 for a float is meant, "4" for an int is not.
                warnings.simplefilter("error" if isinstance(value, str) else "ignore", FutureWarning)
                config[key] = value
        except (OmegaConfBaseException, FutureWarning) as error:
            wanted = signature.arguments[key].annotation
            raise UserError(
                f"{group}.{key}: {value!r} does not fit the type '{wanted}' of '{signature.name}'."
            ) from error
    for argument in signature.arguments.values():
        if argument.default is REQUIRED and argument.name in known and argument.name not in given:
            text = f": {argument.doc}" if argument.doc else ""
            raise UserError(f"{group}.{argument.name} is required by '{signature.name}'{text}")
    plain = OmegaConf.to_container(config)
    assert isinstance(plain, dict)
    return {str(key): plain[key] for key in given}


def check(config: DictConfig, needed: Iterable[str] = ("data", "model")) -> None:
    """Compares the configuration with the constructors' signatures, importing none of them.

    Args:
        config: the composed configuration.
        needed: the groups that the verb cannot do without.

    Raises:
        UserError: for the first thing that is wrong.
    """
    for key in map(str, config.keys()):
        if key not in KEYS:
            raise UserError(
                f"Key '{key}' is not one of the configuration's. {suggest(key, KEYS)}{_choices(KEYS, 'Keys')}"
            )
    for key, kind in SCALARS.items():
        value = config.get(key)
        if value is not None and not isinstance(value, kind):
            raise UserError(f"{key}: {value!r} does not fit the type '{kind.__name__}'.")
    for group in (*NAMED, *FIXED):
        values = config.get(group)
        if values is None and group not in needed:
            continue
        if values is None:
            raise UserError(
                f"The configuration has no '{group}'. Begin with a whole experiment, for example --config default, and let "
                f"other files follow it; or write {group}.name=…."
            )
        if not isinstance(values, DictConfig):
            raise UserError(f"The group '{group}' must be a mapping of keys to values, for example {group}.name=….")
        arguments_for(group, values)


def build(group: str, values: Mapping[str, Any], **supplied: Any) -> Any:
    """Makes the object of one group: imports its class and passes the given values and what the framework supplies.

    Values are plain containers, never a DictConfig, so that a checkpoint's hyper-parameters stay loadable.
    """
    signature = signature_for(group, values)
    constructor = getattr(import_module(signature.module), signature.name)
    arguments = arguments_for(group, values, supplied)
    try:
        return constructor(**arguments, **supplied)
    except ValueError as error:  # a value that only the constructor knows to be wrong
        raise UserError(f"{group}: {error}") from error


def suggest(word: str, choices: Iterable[str]) -> str:
    """``Did you mean: 'lr'? `` where something is near, else nothing.

    >>> suggest("lrr", ["lr", "depth"])
    "Did you mean: 'lr'? "
    """
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"Did you mean: {near[0]!r}? " if near else ""


def _choices(names: Iterable[str], what: str = "Choices") -> str:
    return f"{what}: {', '.join(names)}."


def _hint(annotation: str) -> Any:
    """The type of an annotation where OmegaConf can check it, else Any."""
    try:
        hint = eval(annotation, dict(_TYPES))  # the source of an installed class, not the user's text
        OmegaConf.structured(make_dataclass("Probe", [("value", hint, field(default="???"))]))
    except (NameError, TypeError, AttributeError, OmegaConfBaseException):
        return Any
    return hint


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def as_dict(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain dicts and lists."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def with_run_config(arguments: Sequence[str]) -> list[str]:
    """The arguments, after the run's own config.yaml where ``run_dir=`` names a run and no ``--config`` is given."""
    pairs = split_arguments(arguments)
    run_dir = dict(pairs).get("run_dir")
    own = Path(run_dir or ".") / "config.yaml"
    if run_dir is None or any(key == "config" for key, _ in pairs) or not own.is_file():
        return list(arguments)
    return ["--config", str(own), "checkpoint_path=null", *arguments]


def experiment_name(arguments: Sequence[str]) -> str:
    """The stem of the last ``--config`` file, which names a run's folder; ``default`` where there is none."""
    files = [value for key, value in split_arguments(arguments) if key == "config"]
    return Path(files[-1]).stem if files else "default"


def check_paths(config: DictConfig) -> None:
    """Refuses a data folder that is not there before anything heavy is imported.

    Raises:
        UserError: naming the folder.
    """
    root = OmegaConf.select(config, "data.root")
    if isinstance(root, str) and not Path(root).expanduser().is_dir():
        raise UserError(
            f"data.root: there is no folder '{root}'. It should be the archive's folder as distributed; "
            "`prepare --download` fetches a public one."
        )
