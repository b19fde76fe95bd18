"""What a configuration may hold: it is checked against the constructors' signatures, and objects are built from it.

A class outside of the package is imported only where the configuration names it, and called only where it is of the kind
that its group builds.

`check` compares every key and type with the signatures, without importing the constructors. `build` makes one object.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from omegaconf import DictConfig

from ecg_lightning.config import relations
from ecg_lightning.config.compose import NAMED, plain
from ecg_lightning.config.paths import check_paths
from ecg_lightning.config.signatures import REQUIRED, Signature, exports, signature_of
from ecg_lightning.config.written import check_written
from ecg_lightning.errors import UserError, suggest
from ecg_lightning.ranges import Misfit, Seed, fit

__all__ = ["arguments_for", "build", "check", "check_paths", "signature_for"]

FIXED = {
    "optim": ("ecg_lightning.modules.optim", "Optim"),
    "decision": ("ecg_lightning.metrics.decision", "Decision"),
    "finetune": ("ecg_lightning.training.finetune", "FineTune"),
    "trainer": ("lightning.pytorch", "Trainer"),
    "logger": ("ecg_lightning.training.logger", "Logging"),
    "report": ("ecg_lightning.report.options", "Reporting"),
}
"""Groups that always configure the same class."""
KINDS = {"data": "ecg_lightning.datamodules.base.ECGDataModule", "model": "ecg_lightning.modules.base.ECGModule"}
"""What a class outside of the package that a group's `name` chooses is a subclass of."""
AUGMENT = ("ecg_lightning.transforms.augment", "Augment")
"""What `data.augment` configures."""
SCALARS: dict[str, Any] = {"seed": Seed | None, "run_dir": str | None, "checkpoint_path": str | None}
KEYS = (
    "seed",
    "data",
    "model",
    "optim",
    "decision",
    "finetune",
    "trainer",
    "logger",
    "report",
    "run_dir",
    "checkpoint_path",
)
SUPPLIED = {
    "data": {"seed"},
    "model": {"leads", "outputs"},  # the leads of the data and the number of terms of the label space
    "trainer": {"callbacks", "logger", "default_root_dir", "plugins", "use_distributed_sampler"},
}
"""Arguments that the framework passes itself."""


def signature_for(group: str, values: Mapping[str, Any]) -> Signature:
    """Returns the signature that a group of the configuration is checked against.

    Raises:
        UserError: where `name` is missing or unknown; the message lists the choices.
    """
    if group in FIXED:
        return signature_of(*FIXED[group])
    name, choices = values.get("name"), exports(NAMED[group])
    if name is None:
        raise UserError(f"{group}.name is missing. {_choices(choices)}")
    if name in choices:
        return signature_of(choices[name], name)
    module, _, class_name = str(name).rpartition(".")
    if module:  # a class of the user: my_package.my_module.MyDataModule
        return signature_of(module, class_name)
    raise UserError(f"{group}.name: there is no '{name}'. {suggest(str(name), choices)}{_choices(choices)}")


def arguments_for(
    group: str, values: Mapping[str, Any], supplied: Iterable[str] = (), place: str | None = None
) -> dict[str, Any]:
    """Returns the values of one group, converted to the constructor's types.

    Args:
        group: of the configuration; a part of a mix is one of `data`.
        values: its keys and values, as configured.
        supplied: arguments that the framework passes itself.
        place: what a message calls the group, where it is not its name.

    Raises:
        UserError: for an unknown key (with a suggestion), a value of a wrong type or outside its range, or a required
            argument that is missing.
    """
    supplied, place = {*supplied, *SUPPLIED.get(group, ())}, place or group
    signature = signature_for(group, values)
    arguments = {key: value for key, value in plain(values).items() if not (key == "name" and group in NAMED)}
    fitted = fit_all(signature, arguments, place, supplied)
    for argument in signature.arguments.values():
        if argument.default is REQUIRED and argument.name not in {*arguments, *supplied}:
            text = f": {argument.doc}" if argument.doc else ""
            raise UserError(f"{place}.{argument.name} is required by '{signature.name}'{text}")
    return fitted


def fit_all(
    signature: Signature, arguments: Mapping[str, Any], place: str, supplied: Iterable[str] = ()
) -> dict[str, Any]:
    """Returns each value as its argument's type has it.

    Raises:
        UserError: for the first key that is no argument, or value that does not fit.
    """
    names = [name for name in signature.arguments if name not in supplied]
    for key in arguments:
        if key not in names:
            raise UserError(
                f"{place}: Key '{key}' not in '{signature.name}'. {suggest(str(key), names)}{_choices(names, 'Keys')}"
            )
    try:
        return {key: fit(value, signature.arguments[key].hint, f"{place}.{key}") for key, value in arguments.items()}
    except Misfit as error:
        raise UserError(str(error)) from error


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
    check_written(config)
    for key, kind in SCALARS.items():
        try:
            fit(config.get(key), kind, key)
        except Misfit as error:
            raise UserError(str(error)) from error
    fitted: dict[str, dict[str, Any]] = {}
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
        fitted[group] = arguments_for(group, values)
        check_related(group, values, fitted[group])
    relations.check_cache(fitted.get("finetune", {}), fitted.get("data", {}))


def check_related(group: str, values: Mapping[str, Any], fitted: Mapping[str, Any], place: str | None = None) -> None:
    """Compares the values of a group with each other, and those that have parts of their own with the parts' types.

    Raises:
        UserError: for the first thing that is wrong.
    """
    place = place or group
    if group == "finetune":
        relations.check_schedule(fitted)
    if group != "data":
        return
    signature = signature_for(group, values)
    defaults = {argument.name: argument.default for argument in signature.arguments.values()}
    relations.check_source(defaults | dict(fitted), place)
    if "augment" in fitted and "augment" in defaults:
        fit_all(signature_of(*AUGMENT), fitted["augment"] or {}, f"{place}.augment")
    for number, part in enumerate(fitted.get("parts", ())):
        where = f"{place}.parts[{number}]"
        check_related("data", part, arguments_for("data", part, place=where), where)


def build(group: str, values: Mapping[str, Any], **supplied: Any) -> Any:
    """Makes the object of one group: imports its class and passes the given values and what the framework supplies.

    Values are plain containers, never a DictConfig, so that a checkpoint's hyper-parameters stay loadable.
    """
    arguments = arguments_for(group, values, supplied)
    constructor = _constructor(group, values)
    try:
        return constructor(**arguments, **supplied)
    except Misfit as error:
        raise UserError(f"{group}.{error}") from error
    except ValueError as error:  # a value that only the constructor knows to be wrong
        raise UserError(f"{group}: {error}") from error


def networks() -> list[str]:
    """Returns the names that `model.name` may have without being a class of the user's own."""
    return list(exports(NAMED["model"]))


def module_class(values: Mapping[str, Any]) -> Any:
    """Returns the LightningModule that the group `model` names.

    Raises:
        UserError: where a class of the user's own is not an ECGModule.
    """
    signature = signature_for("model", values)
    cls = _class_of_kind("model", signature)
    if signature.architecture is None:
        raise UserError(f"model.name: {values['name']} has no `architecture`, the class of its network.")
    return cls


def _constructor(group: str, values: Mapping[str, Any]) -> Any:
    """Returns the class that makes the object of a group: of a model, the network, which needs no Lightning."""
    signature = signature_for(group, values)
    if group == "model":
        if values["name"] not in networks():
            return module_class(values).architecture
        assert signature.architecture is not None
        return _class(*signature.architecture)
    return _class_of_kind(group, signature)


def _class_of_kind(group: str, signature: Signature) -> Any:
    """Returns the class that a group names, once it is known to be of the kind that the group builds."""
    cls = _class(signature.module, signature.name)
    kind = KINDS.get(group)
    if kind is None or exports(NAMED[group]).get(signature.name) == signature.module:  # the package offers it
        return cls
    lineage = [f"{base.__module__}.{base.__name__}" for base in getattr(cls, "__mro__", ())]
    if kind not in lineage:
        raise UserError(f"{group}.name: {signature.module}.{signature.name} is not a subclass of {kind}.")
    return cls


def _class(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


def _choices(names: Iterable[str], title: str = "Choices") -> str:
    return f"{title}: {', '.join(names)}."
