"""What makes the archives of two hospitals differ: patients, devices, placement of electrodes, noise and readers."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ecg_lightning.errors import UserError, suggest

# the share of recordings in which a condition is drawn, unless the hospital sets another one
PREVALENCE = {
    "AFIB": 0.10, "AFLT": 0.01, "SVTAC": 0.01, "PACE": 0.015, "STACH": 0.09, "SBRAD": 0.10, "SARRH": 0.06,
    "1AVB": 0.09, "WPW": 0.005, "IRBBB": 0.12, "CRBBB": 0.06, "CLBBB": 0.05, "IVCD": 0.05, "LAFB": 0.08, "LPFB": 0.01,
    "PVC": 0.10, "PAC": 0.06, "LVH": 0.12, "RVH": 0.01, "IMI": 0.09, "AMI": 0.09, "LMI": 0.03,
    "STE_": 0.04, "STD_": 0.10, "INVT": 0.10, "LOWT": 0.12, "LVOLT": 0.03, "LNGQT": 0.02,
}  # fmt: skip
# groups of conditions; a recording has at most one of each group: rhythms, conduction, and rates of the sinus node
EXCLUSIVE = (("AFLT", "SVTAC", "PACE"), ("IRBBB", "CRBBB", "CLBBB", "IVCD", "WPW"), ("STACH", "SBRAD"))
# smallest and largest value of each number that is not a share from 0 to 1
_LIMITS: dict[str, dict[str, tuple[float, float]]] = {
    "Hospital": {"age": (0, 120), "age_spread": (0.1, 60), "recordings_per_patient": (1, 1000)},
    "Device": {
        "resolution": (0.01, 1000), "gain_error": (0, 1), "highpass": (0, 50), "lowpass": (1, 1e5), "mains": (1, 1000),
    },
    "Placement": {"spread": (0, 3)},
    "Noise": {"baseline": (0, 10), "muscle": (0, 10), "mains": (0, 10)},
    "Readers": {"bradycardia": (20, 100), "long_pr": (100, 400), "delayed_qrs": (60, 119)},
}  # fmt: skip
# the terms that readers may write, in the order of the labels of a simulated record
TERMS = (
    "NORM", "SR", "AFIB", "AFLT", "SVTAC", "PACE", "STACH", "SBRAD", "SARRH", "1AVB", "WPW", "IRBBB", "CRBBB", "CLBBB",
    "ILBBB", "IVCD", "LAFB", "LPFB", "PVC", "PAC", "LVH", "VCLVH", "RVH", "IMI", "AMI", "LMI", "STE_", "STD_", "INVT",
    "LOWT", "LVOLT", "LNGQT",
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """An electrocardiograph: its share of the recordings, resolution in µV, spread of its gain, pass band and mains in Hz."""

    share: float = 1.0
    resolution: float = 5.0
    gain_error: float = 0.03
    highpass: float = 0.05
    lowpass: float = 100.0
    mains: float = 50.0


@dataclass(frozen=True)
class Placement:
    """Where the electrodes go: spread of the precordial ones (1 = a lead further) and shares of swapped cables."""

    spread: float = 0.2
    limb_reversal: float = 0.004
    precordial_reversal: float = 0.004


@dataclass(frozen=True)
class Noise:
    """Typical (median) noise in mV, and the shares of recordings with motion, muscle bursts and lost contact.

    `baseline` and `muscle` are what an electrode picks up before the device's filters: the standard deviation between
    0.1 and 50 Hz, on the chest 0.4 of that for muscle. Their densities (mV²/Hz), those of bursts too, are the same at
    any sampling rate and length. `mains` is the amplitude of the hum.
    """

    baseline: float = 0.03
    muscle: float = 0.003
    mains: float = 0.001
    motion: float = 0.05
    burst: float = 0.05
    contact_loss: float = 0.005


@dataclass(frozen=True)
class Readers:
    """Habits of the readers: the share of positives that they miss, by default and by term, and terms that they never write.

    `bradycardia` is the rate under which they write SBRAD: 60 by the older definition, 50 by Kusumoto et al. 2019;
    `long_pr` the PR above which they write 1AVB, ms; `delayed_qrs` the QRS, ms, from which they write IRBBB where V1 has
    an r' (100 by the definition; some go by the r' alone); `beside_norm` the terms beside which they write NORM, in addition to
    those that leave every reader's recording normal. `disagreement` is the spread of the limits between readings, as
    a share of the limit; of ST, T and Q three times that, of QT and an unspecific delay none.
    """

    bradycardia: float = 60.0
    long_pr: float = 200.0
    delayed_qrs: float = 100.0
    disagreement: float = 0.0
    missed: float = 0.0
    missed_terms: dict[str, float] = field(default_factory=dict)
    not_annotated: list[str] = field(default_factory=list)
    beside_norm: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Hospital:
    """A simulated hospital; every field may be set from its YAML file.

    `prevalence` is the share of recordings in which a condition is drawn (of AFLT, SVTAC and PACE, of the recordings
    without fibrillation). `bifascicular` is the share of patients with CRBBB in whom the left anterior fascicle is blocked
    too, beside those who have LAFB by its prevalence. What readers label follows from the definitions: it may be less, where a disease does not
    show or is not read, or more, where a healthy recording reaches a limit.

    Raises:
        UserError: for an unknown condition or term, or an impossible value.
    """

    name: str = "hospital"
    age: float = 60.0
    age_spread: float = 17.0
    female: float = 0.48
    recordings_per_patient: float = 1.15
    bifascicular: float = 0.0
    prevalence: dict[str, float] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=lambda: [Device()])
    placement: Placement = field(default_factory=Placement)
    noise: Noise = field(default_factory=Noise)
    annotation: Readers = field(default_factory=Readers)

    def __post_init__(self) -> None:
        self._refuse_unknown("prevalence", self.prevalence, PREVALENCE)
        self._refuse_unknown("annotation.not_annotated", self.annotation.not_annotated, TERMS)
        self._refuse_unknown("annotation.beside_norm", self.annotation.beside_norm, TERMS)
        self._refuse_unknown("annotation.missed_terms", self.annotation.missed_terms, TERMS)
        if not self.devices:
            self._refuse("devices", "the list is empty; give at least one device, for example [{lowpass: 100}]")
        for key, value, (low, high) in self._numbers():
            if not low <= value <= high:  # NaN is refused, too
                self._refuse(key, f"{value:g} is not from {low:g} to {high:g}")
        if sum(device.share for device in self.devices) == 0:
            self._refuse("devices", "all shares are 0; give at least one device a share above 0")
        for k, device in enumerate(self.devices):
            if device.highpass >= device.lowpass:
                self._refuse(f"devices[{k}].highpass", f"{device.highpass:g} is not below lowpass, {device.lowpass:g}")
        for group in EXCLUSIVE:
            if (total := sum(self.prevalence_of(name) for name in group)) > 1 + 1e-6:
                self._refuse(
                    "prevalence",
                    f"{' + '.join(group)} is {total:g}; a recording has at most one of these conditions, so the sum must be at most 1",
                )

    def _numbers(self) -> Iterator[tuple[str, float, tuple[float, float]]]:
        """Every number of the hospital: its key, its value, and its smallest and largest possible value."""
        parts = {"": self, "placement.": self.placement, "noise.": self.noise, "annotation.": self.annotation}
        parts |= {f"devices[{k}].": device for k, device in enumerate(self.devices)}
        for prefix, part in parts.items():
            for name, value in vars(part).items():
                if isinstance(value, float | int):
                    yield prefix + name, value, _LIMITS[type(part).__name__].get(name, (0, 1))
        shares = {"prevalence": self.prevalence, "annotation.missed_terms": self.annotation.missed_terms}
        for key, shares_of_terms in shares.items():
            yield from ((f"{key}.{name}", value, (0, 1)) for name, value in shares_of_terms.items())

    def _refuse(self, key: str, reason: str) -> NoReturn:
        raise UserError(f"hospital {self.name}, {key}: {reason}")

    def _refuse_unknown(self, key: str, names: Iterable[str], choices: Collection[str]) -> None:
        for name in names:
            if name not in choices:
                self._refuse(key, f"'{name}' is not simulated. {suggest(name, choices)}".rstrip())

    def prevalence_of(self, condition: str) -> float:
        """The share of recordings in which a condition is drawn."""
        return self.prevalence.get(condition, PREVALENCE[condition])

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Hospital":
        """Reads a hospital from a YAML file, or by the name of a shipped one (`large_a`, `small`, …).

        Raises:
            UserError: for an unknown file or name, an unknown key, or a value of the wrong type.
        """
        path = Path(name_or_path)
        if not path.is_file():
            shipped = _shipped()
            if str(name_or_path) not in shipped:
                raise UserError(f"no hospital {name_or_path}: give a YAML file, or one of {', '.join(sorted(shipped))}")
            path = shipped[str(name_or_path)]
        try:
            schema = OmegaConf.structured(cls)
            for node in (schema, schema.devices, schema.placement, schema.noise, schema.annotation, schema.prevalence):
                OmegaConf.set_readonly(node, False)  # a frozen dataclass makes a read-only schema
            config = OmegaConf.merge(schema, {"name": path.stem}, OmegaConf.load(path))
            return cast(Hospital, OmegaConf.to_object(config))
        except OmegaConfBaseException as error:
            raise UserError(f"hospital {path}: {error}") from error


def _shipped() -> dict[str, Path]:
    """The hospitals in conf/hospital, of a wheel or of a checkout."""
    package = Path(__file__).parents[1]
    folders = (package / "conf" / "hospital", package.parent / "conf" / "hospital")
    return {file.stem: file for folder in folders for file in folder.glob("*.yaml")}
