"""Which values an argument may have: declared with the argument, and checked before anything is imported.

A constructor annotates its arguments with these types, `batch_size: Annotated[int, Between(1, 65536)] = 32`; the
configuration's check reads the annotation from the source, and `check_fields` and `checked` check the values of Python callers.
"""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, Union, get_args, get_origin

P = ParamSpec("P")
FOLDS = 10
"""Folds are numbered 1 … 10, as in PTB-XL; by default 9 validates and 10 tests."""
SPLITS = ("train", "val", "test")
"""The three parts of every source, each made of folds."""


@dataclass(frozen=True)
class Between:
    """A range of numbers; NaN and infinity are in no range.

    Attributes:
        low: the smallest value.
        high: the largest value.
        above: whether `low` itself is left out.
        below: whether `high` itself is left out.
        odd: whether only odd numbers belong to the range.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    odd: bool = False

    def __contains__(self, value: float) -> bool:
        inside = self.low < value if self.above else self.low <= value
        return (
            inside and (value < self.high if self.below else value <= self.high) and not (self.odd and value % 2 == 0)
        )

    def __str__(self) -> str:
        low, high = (f"{limit:.15g}" for limit in (self.low, self.high))
        if not (self.above or self.below):
            return f"from {low} to {high}"
        return f"{'above' if self.above else 'from'} {low} and {'below' if self.below else 'at most'} {high}"


@dataclass(frozen=True)
class Items:
    """How many items a list may have, and whether they must differ.

    Attributes:
        least: the smallest number of items.
        most: the largest number of items; None for any number.
        distinct: whether no item may occur twice.
    """

    least: int = 0
    most: int | None = None
    distinct: bool = False

    def __contains__(self, items: list[Any]) -> bool:
        enough = self.least <= len(items) <= (math.inf if self.most is None else self.most)
        return enough and not (self.distinct and any(item in items[:k] for k, item in enumerate(items)))

    def __str__(self) -> str:
        if self.most == self.least:
            count = f" of {self.least} items"
        else:
            count = (
                f" of at least {self.least} items" if self.least > 1 else " of at least one item" if self.least else ""
            )
        return count + (", none of them twice" if self.distinct else "")


Seed = Annotated[int, Between(0, 2**32 - 1)]
Fraction = Annotated[float, Between(0, 1)]
Dropout = Annotated[float, Between(0, 1, below=True)]
Kernel = Annotated[int, Between(1, 255, odd=True)]
Width = Annotated[int, Between(1, 4096)]
Processes = Annotated[int, Between(1, 1024)]
Fold = Annotated[int, Between(1, 10)]
Folds = Annotated[list[Fold], Items(distinct=True)]
Epochs = Annotated[int, Between(0, 1_000_000)]
Records = Annotated[int, Between(1, 100_000_000)]
Hertz = Annotated[float, Between(0, 5000, above=True)]
Seconds = Annotated[float, Between(0.1, 3600)]
SamplingRate = Annotated[int, Between(10, 10_000)]
Lead = Literal["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
Leads = Annotated[list[Lead], Items(1, distinct=True)]


class Misfit(ValueError):
    """A value that an argument cannot have; the message says what it can have.

    Args:
        place: the argument, or the part of it, such as `val_folds[1]`.
        value: the value of the argument.
        expected: the values that it may have, in words.
    """

    def __init__(self, place: str, value: Any, expected: str) -> None:
        super().__init__(f"{place}={_as_yaml(value)} must be {expected}.{_advice(value, expected)}")


def fit(value: Any, hint: Any, place: str) -> Any:
    """Returns the value in its type: a whole number becomes a float where the type is float.

    Args:
        value: a plain value, as YAML or Python has it.
        hint: a type: int, float, bool, str, Literal, list, dict, a union, Annotated with Between or Items; any other type
            admits every value.
        place: the name of the argument, for the message.

    Raises:
        Misfit: where the value does not fit.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _within(value, arguments[0], arguments[1:], hint, place)
    if origin in (Union, UnionType):
        return _one_of(value, arguments, hint, place)
    if origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
    elif _container(hint) is list:
        if isinstance(value, list | tuple):
            inner = arguments[0] if arguments else Any
            return [fit(item, inner, f"{place}[{k}]") for k, item in enumerate(value)]
    elif _container(hint) is dict:
        if isinstance(value, Mapping):
            key_type, inner = arguments or (Any, Any)
            return {
                fit(key, key_type, f"key of {place}"): fit(item, inner, f"{place}.{key}") for key, item in value.items()
            }
    elif hint in (None, NoneType):
        if value is None:
            return None
    elif hint is float:
        if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    elif hint is int:
        if isinstance(value, Integral) and not isinstance(value, bool):
            return int(value)
    elif hint in (bool, str):
        if isinstance(value, hint):
            return value
    else:  # Any, or a class, which is not checked here
        return value
    raise Misfit(place, value, describe(hint))


def _within(value: Any, inner: Any, limits: tuple[Any, ...], hint: Any, place: str) -> Any:
    """Returns the value in its type, where it lies within the limits."""
    try:
        fitted = fit(value, inner, place)
    except Misfit as error:
        if _container(type(value)) is not None:
            raise  # an item is wrong, and the message names it
        raise Misfit(place, value, describe(hint)) from error
    if any(fitted not in limit for limit in limits if isinstance(limit, Between | Items)):
        raise Misfit(place, value, describe(hint))
    return fitted


def _one_of(value: Any, choices: tuple[Any, ...], hint: Any, place: str) -> Any:
    """Returns the value in the first of the types that it fits."""
    for choice in choices:
        try:
            return fit(value, choice, place)
        except Misfit as error:
            if isinstance(value, list | Mapping) and _container(choice) is _container(type(value)):
                raise error from None  # a list is right: one of its items is wrong, and the message names it
    raise Misfit(place, value, describe(hint))


def _container(hint: Any) -> Any:
    """Returns list or dict where a type is one of them, else None."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    kind = get_origin(hint) or hint
    return {list: list, tuple: list, Sequence: list, dict: dict, Mapping: dict}.get(kind)


def describe(hint: Any) -> str:
    """Returns a type in words.

    >>> describe(Annotated[int, Between(1, 10)] | None)
    'a whole number from 1 to 10, or null'
    >>> describe(list[Kernel])
    'a list, each item an odd whole number from 1 to 255'
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = [limit for limit in arguments[1:] if isinstance(limit, Between | Items)]
        kind, comma, items = describe(arguments[0]).partition(",")
        if any(isinstance(limit, Between) and limit.odd for limit in limits):
            kind = f"an odd {kind.partition(' ')[2]}"
        return (
            kind
            + "".join(f" {limit}" if isinstance(limit, Between) else f"{limit}" for limit in limits)
            + comma
            + items
        )
    if origin in (Union, UnionType):
        literals = [value for choice in arguments if get_origin(choice) is Literal for value in get_args(choice)]
        types = [choice for choice in arguments if choice is not NoneType and get_origin(choice) is not Literal]
        kinds = [describe(choice) for choice in types if choice is not int or float not in types]
        kinds += [_choices(literals)] if literals else []
        return ", or ".join(kinds + (["null"] if NoneType in arguments else []))
    if origin is Literal:
        return _choices(arguments)
    if _container(hint) is list:
        return f"a list, each item {describe(arguments[0])}" if arguments and arguments[0] is not Any else "a list"
    if _container(hint) is dict:
        is_typed = len(arguments) > 1 and arguments[1] is not Any
        return f"a mapping, each value {describe(arguments[1])}" if is_typed else "a mapping of keys to values"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        None: "null",
        NoneType: "null",
    }
    return words.get(hint, "any value") if isinstance(hint, type | NoneType) else "any value"


def _choices(values: Sequence[Any]) -> str:
    names = list(dict.fromkeys(map(str, values)))
    return f"{'one of ' if len(names) > 1 else ''}{', '.join(names)}"


def _as_yaml(value: Any) -> str:
    """Returns a value as YAML writes it, shortened where it is long."""
    text = {"None": "null", "True": "true", "False": "false"}.get(repr(value), repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _advice(value: Any, expected: str) -> str:
    """Returns what to do where YAML has probably read a value as one of another kind."""
    if isinstance(value, bool) and "number" not in expected:
        return " YAML reads NO, YES, ON and OFF without quotes as false and true: write such a word in quotes, 'NO'."
    if isinstance(value, int | float) and not isinstance(value, bool) and "text" in expected:
        return f" YAML reads it as a number: write it in quotes, '{value}'."
    if isinstance(value, str) and "number" in expected and _is_number(value):
        return " It is a text: write the number without quotes."
    return ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def numeric(hint: Any) -> bool:
    """Returns whether a type, or a type inside it, admits numbers without a range."""
    if get_origin(hint) is Annotated and any(isinstance(limit, Between) for limit in get_args(hint)[1:]):
        return False
    if get_origin(hint) is Literal:
        return False
    return hint in (int, float) or any(numeric(inner) for inner in get_args(hint))


def _restricted(hint: Any) -> bool:
    return get_origin(hint) in (Annotated, Literal) or any(_restricted(inner) for inner in get_args(hint))


def check_fields(instance: Any) -> None:
    """Compares the fields of a dataclass with the ranges in their types; fields without a range are not checked.

    Raises:
        Misfit: for the first value that does not fit.
    """
    for field in fields(instance):
        if field.init and _restricted(field.type):
            fit(getattr(instance, field.name), field.type, field.name)


def checked(init: Callable[P, None]) -> Callable[P, None]:
    """Returns a constructor that raises a Misfit for values outside the ranges in its annotations."""
    signature = inspect.signature(init)

    @wraps(init)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            hint = signature.parameters[name].annotation
            if _restricted(hint):
                fit(value, hint, name)
        init(*args, **kwargs)

    return wrapper
