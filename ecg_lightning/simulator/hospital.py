"""What makes one hospital's archive differ from another's: its patients, devices, technicians, noise and readers."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ecg_lightning.errors import UserError

# the share of recordings in which a condition is drawn, where a hospital does not say otherwise
PREVALENCE = {
    "AFIB": 0.10, "AFLT": 0.01, "SVTAC": 0.01, "PACE": 0.015, "STACH": 0.09, "SBRAD": 0.10, "SARRH": 0.06,
    "1AVB": 0.09, "WPW": 0.005, "IRBBB": 0.12, "CRBBB": 0.06, "CLBBB": 0.05, "IVCD": 0.05, "LAFB": 0.08, "LPFB": 0.01,
    "PVC": 0.10, "PAC": 0.06, "LVH": 0.12, "RVH": 0.01, "IMI": 0.09, "AMI": 0.09, "LMI": 0.03,
    "STE_": 0.04, "STD_": 0.10, "INVT": 0.10, "LOWT": 0.12, "LVOLT": 0.03, "LNGQT": 0.02,
}  # fmt: skip
# what readers may write: in the order of a simulated record's labels
TERMS = (
    "NORM", "SR", "AFIB", "AFLT", "SVTAC", "PACE", "STACH", "SBRAD", "SARRH", "1AVB", "WPW", "IRBBB", "CRBBB", "CLBBB",
    "ILBBB", "IVCD", "LAFB", "LPFB", "PVC", "PAC", "LVH", "VCLVH", "RVH", "IMI", "AMI", "LMI", "STE_", "STD_", "INVT",
    "LOWT", "LVOLT", "LNGQT",
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """An electrocardiograph: its share of the recordings, µV a step, spread of its gain, pass band and mains in Hz."""

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
    """Typical (median) noise in mV, and the shares of recordings with motion, muscle bursts and lost contact."""

    baseline: float = 0.03
    muscle: float = 0.003
    mains: float = 0.001
    motion: float = 0.05
    burst: float = 0.05
    contact_loss: float = 0.005


@dataclass(frozen=True)
class Annotation:
    """Habits of the readers: the share of positives that is missed, by default and by term, and terms never read.

    `bradycardia` is the rate under which they write SBRAD: 60 by the older definition, 50 by Kusumoto et al. 2019;
    `long_pr` the PR above which they write 1AVB, ms. `disagreement` is the spread of all limits between readings, as
    a share of the limit.
    """

    bradycardia: float = 60.0
    long_pr: float = 200.0
    disagreement: float = 0.0
    missed: float = 0.0
    missed_terms: dict[str, float] = field(default_factory=dict)
    not_annotated: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Hospital:
    """A simulated hospital; every field may be set from its YAML file."""

    name: str = "hospital"
    age: float = 60.0
    age_spread: float = 17.0
    female: float = 0.48
    recordings_per_patient: float = 1.15
    prevalence: dict[str, float] = field(default_factory=dict)
    devices: list[Device] = field(default_factory=lambda: [Device()])
    placement: Placement = field(default_factory=Placement)
    noise: Noise = field(default_factory=Noise)
    annotation: Annotation = field(default_factory=Annotation)

    def __post_init__(self) -> None:
        self._refuse_unknown("prevalence", self.prevalence, PREVALENCE)
        self._refuse_unknown("annotation.not_annotated", self.annotation.not_annotated, TERMS)
        self._refuse_unknown("annotation.missed_terms", self.annotation.missed_terms, TERMS)

    def _refuse_unknown(self, key: str, given: Iterable[str], known: Collection[str]) -> None:
        for term in given:
            if term not in known:
                close = "".join(f"; did you mean {match}?" for match in get_close_matches(term, known, 1))
                raise UserError(f"hospital {self.name}, {key}: {term} is not simulated{close}")

    def share(self, condition: str) -> float:
        """The share of recordings in which a condition is drawn."""
        return self.prevalence.get(condition, PREVALENCE[condition])

    @classmethod
    def load(cls, name_or_path: str | Path) -> "Hospital":
        """Read a hospital from a YAML file, or by the name of a shipped one (`large_a`, `small`, …).

        Raises:
            UserError: no such file or name, an unknown key, or a value of the wrong type.
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
