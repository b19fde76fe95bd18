import math
import random
from statistics import mean

import pytest

from ecg_lightning.errors import UserError
from ecg_lightning.sweep.parameters import Choice, Curve, Range, as_text, parse_parameters, quantise


def parsed(**entry: object) -> Choice | Range | Curve:
    (parameter,) = parse_parameters({"x": entry})
    return parameter


def at(unit: float, **entry: object) -> object:
    """The value of a run at a quantile."""
    parameter = parsed(**entry)
    return parameter.value(parameter.draw(unit))


@pytest.mark.parametrize(
    ("entry", "unit", "value"),
    [
        ({"min": 1.0, "max": 3.0}, 0.25, 1.5),
        ({"min": 1, "max": 4}, 0.0, 1),
        ({"min": 1, "max": 4}, 0.999, 4),
        ({"min": 1, "max": 4, "distribution": "uniform"}, 0.5, 2.5),
        ({"min": 1e-4, "max": 1e-2, "distribution": "log_uniform_values"}, 0.5, 1e-3),
        ({"min": math.log(2), "max": math.log(8), "distribution": "log_uniform"}, 0.5, 4.0),
        ({"min": math.log(2), "max": math.log(8), "distribution": "inv_log_uniform"}, 0.5, 0.25),
        ({"min": 2.0, "max": 8.0, "distribution": "inv_log_uniform_values"}, 0.5, 4.0),
        ({"min": 0.0, "max": 1.0, "q": 0.1, "distribution": "q_uniform"}, 0.31, 0.3),
        ({"min": 1, "max": 100, "q": 10, "distribution": "q_log_uniform_values"}, 0.99, 100),
        ({"min": math.log(10), "max": math.log(1000), "q": 50, "distribution": "q_log_uniform"}, 0.5, 100),
        ({"distribution": "normal"}, 0.975, 1.959964),
        ({"distribution": "normal", "mu": 2, "sigma": 0.5}, 0.5, 2.0),
        ({"distribution": "log_normal", "mu": 1.0}, 0.5, math.e),
        ({"distribution": "q_normal", "mu": 10, "sigma": 3, "q": 2}, 0.84, 12),
        ({"distribution": "q_log_normal", "mu": 1.0, "q": 0.5}, 0.5, 2.5),
        ({"distribution": "beta", "a": 2, "b": 1}, 0.25, 0.5),  # its distribution function is x²
        ({"distribution": "q_beta", "a": 2, "b": 1, "q": 0.2}, 0.25, 0.4),
        ({"values": ["a", "b", "c"]}, 0.34, "b"),
        ({"values": ["a", "b", "c"], "probabilities": [0.1, 0.8, 0.1]}, 0.85, "b"),
        ({"values": ["a", "b", "c"], "probabilities": [0.1, 0.8, 0.1]}, 0.95, "c"),
        ({"value": [64, 128]}, 0.5, [64, 128]),
    ],
)
def test_a_quantile_of_each_distribution_is_the_known_number(
    entry: dict[str, object], unit: float, value: object
) -> None:
    quantile = at(unit, **entry)
    assert quantile == pytest.approx(value, rel=1e-6) if isinstance(value, float) else quantile == value


def test_draws_of_a_log_uniform_parameter_are_as_often_in_each_decade() -> None:
    parameter = parsed(min=1e-4, max=1e-1, distribution="log_uniform_values")
    draw = random.Random(0)
    values = [parameter.value(parameter.draw(draw.random())) for _ in range(3000)]
    assert mean(value < 1e-3 for value in values) == pytest.approx(1 / 3, abs=0.03)  # type: ignore[operator]
    assert min(values) >= 1e-4 and max(values) <= 1e-1  # type: ignore[type-var, operator]


def test_whole_numbers_are_drawn_evenly_with_both_ends() -> None:
    parameter = parsed(min=2, max=5)
    draw = random.Random(0)
    values = [parameter.value(parameter.draw(draw.random())) for _ in range(4000)]
    assert {value: round(values.count(value) / 4000, 1) for value in sorted(set(values))} == pytest.approx(  # type: ignore[type-var]
        {2: 0.25, 3: 0.25, 4: 0.25, 5: 0.25}, abs=0.06
    )


def test_a_quantised_value_is_a_multiple_within_the_bounds() -> None:
    assert quantise(0.34, 0.1) == 0.3
    assert quantise(1.0, 3.0, 1.0, 10.0) == 3.0
    assert quantise(10.0, 4, 1.0, 10.0) == 8 and isinstance(quantise(10.0, 4, 1.0, 10.0), int)


def test_a_grid_lists_choices_whole_numbers_and_steps() -> None:
    assert parsed(values=[1, 2.5, None, True]).grid() == ["1", "2.5", "null", "true"]
    assert parsed(min=3, max=6).grid() == [3, 4, 5, 6]
    assert parsed(min=0.0, max=0.3, q=0.1, distribution="q_uniform").grid() == [0.0, 0.1, 0.2, 0.3]
    assert parsed(min=0.0, max=0.3).grid() == []


def test_nested_parameters_are_named_by_their_path() -> None:
    parameters = parse_parameters(
        {"optim": {"parameters": {"lr": {"value": 0.1}, "schedule": {"parameters": {"warmup": {"value": 2}}}}}}
    )
    assert [parameter.name for parameter in parameters] == ["optim.lr", "optim.schedule.warmup"]


def test_a_value_reads_back_from_the_command_line_as_itself() -> None:
    from omegaconf import OmegaConf

    for value in (1e-05, 3, True, None, "adam", [64, 128], {"0": ["head"], "2": "all"}):
        config = OmegaConf.to_container(OmegaConf.from_dotlist([f"x={as_text(value)}"]))
        assert config == {"x": value}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"min": 1, "max": 1}, "min 1 is not less than max 1"),
        ({"min": "1e-4", "max": 1.0}, "YAML a number in scientific notation needs a point"),
        ({"min": 0, "max": 1.0, "distribution": "log_uniform_values"}, "min must be greater than 0"),
        ({"min": 0.1}, "also needs max"),
        ({"min": 0.1, "max": 0.4, "q": 1, "distribution": "q_uniform"}, "no multiple of q 1"),
        ({"values": [1, 1]}, "lists 1 more than once"),
        ({"values": []}, "at least one value"),
        ({"values": [1, 2], "probabilities": [0.5, 0.6]}, "with sum 1"),
        ({"values": [1, 2], "mu": 3}, "has no mu"),
        ({"distribution": "gamma"}, "there is no distribution 'gamma'"),
        ({"distribution": "normal", "sigma": 0}, "sigma must be greater than 0"),
        ({}, "give it a value, values, or min and max"),
    ],
)
def test_a_mistake_is_named(entry: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=r"parameters\.x") as caught:
        parsed(**entry)
    assert message in str(caught.value)
