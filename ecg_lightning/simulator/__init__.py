"""A simulator of 12-lead archives: a moving dipole in a varied torso, textbook definitions, hospitals that differ."""

from ecg_lightning.simulator.hospital import TERMS, Hospital
from ecg_lightning.simulator.simulate import Simulated, simulate

__all__ = ["TERMS", "Hospital", "Simulated", "simulate"]
