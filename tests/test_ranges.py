"""Types with ranges: what fits, what is refused, and in which words; every numeric argument has one."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest

from ecg_lightning.config.schema import AUGMENT, FIXED, NAMED, SCALARS, SUPPLIED
from ecg_lightning.config.signatures import Signature, exports, signature_of
from ecg_lightning.models import ResNet1d
from ecg_lightning.ranges import Between, Items, Lead, Misfit, describe, fit, numeric
from ecg_lightning.records import LEADS

CLASSES = [
    *((group, module, name) for group, package in NAMED.items() for name, module in exports(package).items()),
    *((group, *where) for group, where in FIXED.items() if group != "trainer"),  # Lightning's own has rules of its own
    ("data", *AUGMENT),
]


def signatures() -> Iterator[tuple[str, Signature]]:
    for group, module, name in CLASSES:
        yield group, signature_of(module, name)


def ranges(hint: Any) -> Iterator[Between]:
    """Every range in a type."""
    for part in get_args(hint):
        if isinstance(part, Between):
            yield part
        yield from ranges(part)


def wrapped(value: Any, hint: Any) -> Any:
    """A number as a value of the type: in a list or a mapping where the type is one."""
    if get_origin(hint) is Annotated:
        return wrapped(value, get_args(hint)[0])
    if get_origin(hint) is list:
        return [wrapped(value, get_args(hint)[0])]
    if get_origin(hint) is dict:
        key, inner = get_args(hint)
        return (
            {0 if get_origin(key) is Annotated else "key": wrapped(value, inner)}
            if list(ranges(inner))
            else {value: ""}
        )
    if get_origin(hint) is Union or isinstance(hint, type(int | str)):
        return wrapped(value, next(part for part in get_args(hint) if list(ranges(part))))
    return value


@pytest.mark.parametrize("place", [f"{group}.{name}" for group, _, name in CLASSES])
def test_every_numeric_argument_has_a_range_and_refuses_what_is_outside(place: str) -> None:
    group, module, name = next(each for each in CLASSES if f"{each[0]}.{each[2]}" == place)
    for argument in signature_of(module, name).arguments.values():
        if argument.name in SUPPLIED.get(group, ()):
            continue
        assert not numeric(argument.hint), f"{place}.{argument.name}: give it a range in its annotation"
        for limits in ranges(argument.hint):
            outside = [math.nan, math.inf, -math.inf, 1e30, 10**30, limits.low - 1, limits.high + 1, True, "1"]
            outside += [limits.low] * limits.above + [limits.high] * limits.below
            for value in outside:
                with pytest.raises(Misfit, match=argument.name):
                    fit(wrapped(value, argument.hint), argument.hint, argument.name)


def test_the_seed_of_the_run_has_a_range() -> None:
    assert not any(numeric(hint) for hint in SCALARS.values())


def test_every_default_fits() -> None:
    for group, signature in signatures():
        for argument in signature.arguments.values():
            if isinstance(argument.default, int | float | str | list | dict):
                fit(argument.default, argument.hint, f"{group}.{argument.name}")


@pytest.mark.parametrize(
    ("value", "hint", "fitted"),
    [
        (3, float, 3.0),
        ((1, 2), list[int], [1, 2]),
        (None, int | None, None),
        ({0: ["head"], 4: "all"}, dict[Annotated[int, Between(0, 9)], list[str] | str], {0: ["head"], 4: "all"}),
        (3, Annotated[int, Between(1, 7, odd=True)], 3),
        (1, int | bool, 1),
        (True, int | bool, True),
        (object, Any, object),
    ],
)
def test_what_fits(value: object, hint: object, fitted: object) -> None:
    result = fit(value, hint, "key")
    assert result == fitted and type(result) is type(fitted)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (0, Annotated[float, Between(0, 1, above=True)], "key=0 must be a number above 0 and at most 1."),
        (1, Annotated[float, Between(0, 1, below=True)], "key=1 must be a number from 0 and below 1."),
        (math.nan, Annotated[float, Between(0, 1)], "key=nan must be a number from 0 to 1."),
        (4, Annotated[int, Between(1, 7, odd=True)], "key=4 must be an odd whole number from 1 to 7."),
        (2.5, int | None, "key=2.5 must be a whole number, or null."),
        (True, int, "key=true must be a whole number."),
        ("2", int, "key='2' must be a whole number. It is a text: write the number without quotes."),
        ("inf", float, "key='inf' must be a number."),
        (8, str, "key=8 must be text. YAML reads it as a number: write it in quotes, '8'."),
        ([False], list[str], "key[0]=false must be text. YAML reads NO, YES, ON and OFF without quotes"),
        ([1, 11], list[Annotated[int, Between(1, 10)]], "key[1]=11 must be a whole number from 1 to 10."),
        (
            [1, 1],
            Annotated[list[int], Items(distinct=True)],
            "must be a list, none of them twice, each item a whole number",
        ),
        ([1], Annotated[list[int], Items(2, 2)], "key=[1] must be a list of 2 items, each item a whole number."),
        (
            5,
            Annotated[list[int], Items(1)] | None,
            "must be a list of at least one item, each item a whole number, or null",
        ),
        ({"a": -1}, dict[str, Annotated[float, Between(0, 1)]], "key.a=-1 must be a number from 0 to 1."),
        ({1: 1}, dict[str, int], "key of key=1 must be text."),
        ("c", Literal["a", "b"] | None, "key='c' must be one of a, b, or null."),
        ("x" * 200, int, "xxx... must be a whole number."),
    ],
)
def test_what_is_refused(value: object, hint: object, message: str) -> None:
    with pytest.raises(Misfit) as error:
        fit(value, hint, "key")
    assert message in str(error.value)


def test_a_type_in_words() -> None:
    assert describe(int | float | None) == "a number, or null"
    assert describe(dict[str, int]) == "a mapping, each value a whole number"


def test_the_leads_are_those_of_the_records() -> None:
    assert get_args(Lead) == LEADS


def test_python_callers_are_held_to_the_ranges() -> None:
    with pytest.raises(Misfit, match=r"dropout=1\.5 must be a number from 0 and below 1"):
        ResNet1d(dropout=1.5)
    with pytest.raises(Misfit, match=r"kernel_size=4 must be an odd whole number"):
        ResNet1d(18, kernel_size=4)
