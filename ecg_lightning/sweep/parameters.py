"""What a sweep varies: one parameter of W&B's sweep format, as a map from Optuna's sample to the value of a run.

Every distribution of the format becomes one of three shapes: a choice, a range (uniform on a line, a logarithm or the
whole numbers), or a curve (normal, beta) that is sampled through its quantile function.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeGuard

from ecg_lightning.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Value = None | bool | int | float | str | list[Any] | dict[str, Any]
"""What a YAML file can hold."""
Sample = int | float | str
"""What Optuna stores for a parameter: a number of a range, or the text of a choice."""

KEYS: dict[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    **dict.fromkeys(("int_uniform", "uniform", "log_uniform", "log_uniform_values"), ("min", "max")),
    **dict.fromkeys(("inv_log_uniform", "inv_log_uniform_values"), ("min", "max")),
    **dict.fromkeys(("q_uniform", "q_log_uniform", "q_log_uniform_values"), ("min", "max", "q")),
    **dict.fromkeys(("normal", "log_normal"), ("mu", "sigma")),
    **dict.fromkeys(("q_normal", "q_log_normal"), ("mu", "sigma", "q")),
    "beta": ("a", "b"),
    "q_beta": ("a", "b", "q"),
}
"""The distributions of W&B's sweep format and the keys of each."""
DEFAULTS = {"mu": 0.0, "sigma": 1.0, "a": 1.0, "b": 1.0, "q": 1.0}


def as_text(value: Value) -> str:
    """Returns a value as it is written on a command line; a text is written without quotes, as W&B's agent does.

    >>> [as_text(value) for value in (1e-05, True, None, "adam", [64, 128])]
    ['1e-05', 'true', 'null', 'adam', '[64, 128]']
    """
    return value if isinstance(value, str) else json.dumps(value)


def quantise(number: float, q: float | None, low: float = -math.inf, high: float = math.inf) -> float:
    """Returns the multiple of `q` within the bounds that is next to a number; the number itself where `q` is None."""
    if q is None:
        return number
    steps = round(number / q)
    if math.isfinite(low):
        steps = max(steps, math.ceil(low / q - 1e-9))
    if math.isfinite(high):
        steps = min(steps, math.floor(high / q + 1e-9))
    return steps * q if isinstance(q, int) else float(f"{steps * q:.12g}")  # 3 * 0.1 is 0.3, not 0.30000000000000004


@dataclass(frozen=True)
class Choice:
    """One of several values, with equal or given probabilities; a constant has one value."""

    name: str
    values: tuple[Value, ...]
    probabilities: tuple[float, ...] = ()

    def draw(self, unit: float) -> Sample:
        """Returns the sample at a uniform number in [0, 1)."""
        if not self.probabilities:
            return as_text(self.values[int(unit * len(self.values))])
        ends = accumulate(self.probabilities)
        return as_text(
            next((value for value, end in zip(self.values, ends, strict=True) if unit < end), self.values[-1])
        )

    def grid(self) -> list[Sample]:
        """Returns every sample."""
        return [as_text(value) for value in self.values]

    def value(self, sample: Sample) -> Value:
        """Returns the value of a run for a sample."""
        return next(value for value in self.values if as_text(value) == sample)

    def admits(self, sample: object) -> bool:
        """Returns whether an object is a sample of this parameter."""
        return sample in self.grid()

    def distribution(self) -> "BaseDistribution":
        """Returns the distribution from which Optuna samples."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([as_text(value) for value in self.values])

    def text(self) -> str:
        """Returns the values that are searched, as a text; it is equal for equal domains."""
        weights = f" with probabilities {', '.join(f'{p:g}' for p in self.probabilities)}" if self.probabilities else ""
        return ", ".join(map(as_text, self.values)) + weights


@dataclass(frozen=True)
class Range:
    """Uniform between two bounds, on a line, on a logarithm, or over the whole numbers; in steps of `q` where it is a number."""

    name: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    q: float | None = None

    def draw(self, unit: float) -> Sample:
        """Returns the sample at a uniform number in [0, 1)."""
        if self.whole:
            return int(self.low + math.floor(unit * (self.high - self.low + 1)))
        if self.log:
            return float(self.low * (self.high / self.low) ** unit)
        return self.low + (self.high - self.low) * unit

    def grid(self) -> list[Sample]:
        """Returns every sample where their number is finite, else none."""
        if self.whole:
            return list(range(int(self.low), int(self.high) + 1))
        if self.q is None or self.log:
            return []
        first, last = (quantise(bound, self.q, self.low, self.high) for bound in (self.low, self.high))
        return [quantise(first + i * self.q, self.q) for i in range(round((last - first) / self.q) + 1)]

    def value(self, sample: Sample) -> Value:
        """Returns the value of a run for a sample."""
        return quantise(float(sample), self.q, self.low, self.high) if not self.whole else int(sample)

    def admits(self, sample: object) -> bool:
        """Returns whether an object is a sample of this parameter."""
        return _is_number(sample, whole=self.whole) and self.low <= sample <= self.high

    def distribution(self) -> "BaseDistribution":
        """Returns the distribution from which Optuna samples."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.whole:
            return IntDistribution(int(self.low), int(self.high))
        return FloatDistribution(self.low, self.high, log=self.log)

    def text(self) -> str:
        """Returns the values that are searched, as a text; it is equal for equal domains."""
        scale = ", logarithmic" if self.log else ", whole numbers" if self.whole else ""
        return f"{self.low:.6g} … {self.high:.6g}{scale}" + (f", in steps of {self.q:g}" if self.q is not None else "")


@dataclass(frozen=True)
class Curve:
    """A normal, log-normal or beta distribution: the sample is its quantile, a number between 0 and 1."""

    name: str
    kind: str
    first: float
    second: float
    q: float | None = None

    def draw(self, unit: float) -> Sample:
        """Returns the sample at a uniform number in [0, 1)."""
        return min(max(unit, 1e-6), 1 - 1e-6)  # the ends are at infinity

    def grid(self) -> list[Sample]:
        """Returns nothing: the number of samples is not finite."""
        return []

    def value(self, sample: Sample) -> Value:
        """Returns the value of a run for a sample."""
        if self.kind == "beta":
            from scipy.stats import beta

            return quantise(float(beta.ppf(float(sample), self.first, self.second)), self.q)
        number = NormalDist(self.first, self.second).inv_cdf(float(sample))
        return quantise(math.exp(number) if self.kind == "log_normal" else number, self.q)

    def admits(self, sample: object) -> bool:
        """Returns whether an object is a sample of this parameter."""
        return _is_number(sample) and 0 < sample < 1

    def distribution(self) -> "BaseDistribution":
        """Returns the distribution from which Optuna samples."""
        from optuna.distributions import FloatDistribution

        return FloatDistribution(1e-6, 1 - 1e-6)

    def text(self) -> str:
        """Returns the values that are searched, as a text; it is equal for equal domains."""
        return f"{self.kind}({self.first:g}, {self.second:g})" + (
            f", in steps of {self.q:g}" if self.q is not None else ""
        )


Parameter = Choice | Range | Curve


def parse_parameters(entries: object, prefix: str = "") -> list[Parameter]:
    """Returns the `parameters` of a sweep file; nested ones are named by their path, `optim.lr`.

    Raises:
        UserError: for an entry that is not of W&B's format.
    """
    if not isinstance(entries, Mapping) or not entries:
        raise UserError(f"parameters{f' of {prefix[:-1]}' if prefix else ''}: list at least one, for example optim.lr.")
    parameters: list[Parameter] = []
    for key, entry in entries.items():
        name = f"{prefix}{key}"
        if not isinstance(entry, Mapping):
            raise UserError(f"parameters.{name}: write its values, for example {{values: [1, 2]}}, not {entry!r}.")
        if "parameters" in entry:
            parameters += parse_parameters(entry["parameters"], f"{name}.")
        else:
            parameters.append(_parse(name, entry))
    return parameters


def _parse(name: str, entry: Mapping[str, Any]) -> Parameter:
    kind = entry.get("distribution") or _implied(name, entry)
    if kind not in KEYS:
        raise UserError(f"parameters.{name}: there is no distribution '{kind}'. Choices: {', '.join(KEYS)}.")
    if surplus := sorted(map(str, set(entry) - {"distribution", *KEYS[kind]})):
        text = ", ".join(surplus)
        raise UserError(f"parameters.{name}: the distribution {kind} has no {text}. Its keys: {', '.join(KEYS[kind])}.")
    if absent := [key for key in KEYS[kind] if key not in entry and key not in DEFAULTS]:
        raise UserError(f"parameters.{name}: the distribution {kind} also needs {' and '.join(absent)}.")
    if kind in ("constant", "categorical", "categorical_w_probabilities"):
        return _choice(name, entry)
    numbers = {key: _number(name, key, entry.get(key, DEFAULTS.get(key))) for key in KEYS[kind]}
    q = numbers.get("q")
    if q is not None and q <= 0:
        raise UserError(f"parameters.{name}: q must be greater than 0, not {q}.")
    if "min" not in numbers:
        first, second = (numbers[key] for key in KEYS[kind][:2])
        if second <= 0 or (kind.endswith("beta") and first <= 0):
            raise UserError(f"parameters.{name}: {KEYS[kind][1]} must be greater than 0.")
        return Curve(name, kind.removeprefix("q_"), first, second, q)
    return _range(name, kind, numbers["min"], numbers["max"], q)


def _implied(name: str, entry: Mapping[str, Any]) -> str:
    """Returns the distribution that W&B uses where the file names none."""
    if "values" in entry:
        return "categorical_w_probabilities" if "probabilities" in entry else "categorical"
    if "value" in entry:
        return "constant"
    if "min" in entry or "max" in entry:
        return "int_uniform" if all(isinstance(entry.get(key), int) for key in ("min", "max")) else "uniform"
    raise UserError(f"parameters.{name}: give it a value, values, or min and max.")


def _choice(name: str, entry: Mapping[str, Any]) -> Choice:
    values = entry["values"] if "values" in entry else [entry["value"]]
    if not isinstance(values, list) or not values:
        raise UserError(f"parameters.{name}.values must be a list of at least one value, not {values!r}.")
    texts = [as_text(value) for value in values]
    if repeated := sorted({text for text in texts if texts.count(text) > 1}):
        raise UserError(f"parameters.{name}.values lists {', '.join(repeated)} more than once.")
    numbers = [_number(name, "probabilities", p) for p in entry.get("probabilities", [])]
    if numbers and (len(numbers) != len(values) or not math.isclose(sum(numbers), 1.0, rel_tol=1e-6)):
        raise UserError(
            f"parameters.{name}.probabilities: give one number for each of the {len(values)} values, with sum 1."
        )
    return Choice(name, tuple(values), tuple(numbers))


def _range(name: str, kind: str, low: float, high: float, q: float | None) -> Range:
    if low >= high:
        raise UserError(f"parameters.{name}: min {low} is not less than max {high}.")
    if kind.endswith("_values") and low <= 0:
        raise UserError(f"parameters.{name}: min must be greater than 0 for the distribution {kind}, not {low}.")
    if kind in ("log_uniform", "q_log_uniform"):  # here the bounds are natural logarithms of the values
        low, high = math.exp(low), math.exp(high)
    elif kind == "inv_log_uniform":
        low, high = math.exp(-high), math.exp(-low)
    if q is not None and math.floor(high / q + 1e-9) < math.ceil(low / q - 1e-9):
        raise UserError(f"parameters.{name}: there is no multiple of q {q} between min {low:g} and max {high:g}.")
    return Range(name, low, high, log="log" in kind, whole=kind == "int_uniform", q=q)


def _is_number(sample: object, whole: bool = False) -> TypeGuard[float]:
    return isinstance(sample, int if whole else (int, float)) and not isinstance(sample, bool)


def _number(name: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = " In YAML a number in scientific notation needs a point: 1.0e-4, not 1e-4." * isinstance(value, str)
        raise UserError(f"parameters.{name}.{key} must be a number, not {value!r}.{hint}")
    return value
