"""What a configuration may hold: it is checked against the constructors' signatures, and objects are built from it.

A class outside of the package is imported only where the configuration names it, and called only where it is of the kind
that its group builds.

``check`` compares every key and type with the signatures, without importing the constructors. ``build`` makes one object.
"""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import field, make_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Optional, Union

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ecg_lightning.config.compose import NAMED
from ecg_lightning.config.signatures import REQUIRED, Signature, exports, signature_of
from ecg_lightning.errors import UserError, suggest

FIXED = {
    "optim": ("ecg_lightning.modules.optim", "Optim"),
    "finetune": ("ecg_lightning.training.finetune", "FineTune"),
    "trainer": ("lightning.pytorch", "Trainer"),
    "logger": ("ecg_lightning.training.logger", "Logging"),
}
"""Groups that always configure the same class."""
KINDS = {"data": "ecg_lightning.datamodules.base.ECGDataModule", "model": "ecg_lightning.modules.base.ECGModule"}
"""What a class that a group's ``name`` chooses is a subclass of."""
SCALARS = {"seed": int, "run_dir": str, "checkpoint_path": str}
KEYS = ("seed", "data", "model", "optim", "finetune", "trainer", "logger", "run_dir", "checkpoint_path")
SUPPLIED = {
    "data": {"seed"},
    "model": {"leads", "outputs"},  # the leads of the data and the number of terms of the label space
    "trainer": {"callbacks", "logger", "default_root_dir", "plugins", "use_distributed_sampler"},
}
"""Arguments that the framework passes itself."""
_TYPES = {"Any": Any, "Optional": Optional, "Union": Union, "Literal": Literal, "Sequence": list, "Path": str}


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
    arguments = arguments_for(group, values, supplied)
    constructor = _constructor(group, values)
    try:
        return constructor(**arguments, **supplied)
    except ValueError as error:  # a value that only the constructor knows to be wrong
        raise UserError(f"{group}: {error}") from error


def networks() -> list[str]:
    """The names that ``model.name`` may have without being a class of the user's own."""
    return list(exports(NAMED["model"]))


def module_class(values: Mapping[str, Any]) -> Any:
    """The LightningModule that the group ``model`` names.

    Raises:
        UserError: where a class of the user's own is not an ECGModule.
    """
    signature = signature_for("model", values)
    cls = _offered("model", signature)
    if signature.architecture is None:
        raise UserError(f"model.name: {values['name']} has no `architecture`, the class of its network.")
    return cls


def _constructor(group: str, values: Mapping[str, Any]) -> Any:
    """The class that makes the object of a group: of a model, the network, which needs no Lightning."""
    signature = signature_for(group, values)
    if group == "model":
        if values["name"] not in networks():
            return module_class(values).architecture
        assert signature.architecture is not None
        return _class(*signature.architecture)
    return _offered(group, signature)


def _offered(group: str, signature: Signature) -> Any:
    """The class that a group names, once it is known to be of the kind that the group builds."""
    cls = _class(signature.module, signature.name)
    kind = KINDS.get(group)
    lineage = [f"{base.__module__}.{base.__name__}" for base in getattr(cls, "__mro__", ())]
    if kind is not None and kind not in lineage:
        raise UserError(f"{group}.name: {signature.module}.{signature.name} is not a subclass of {kind}.")
    return cls


def _class(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


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
