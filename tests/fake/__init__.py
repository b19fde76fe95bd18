"""Small archives in their original layouts: each writer takes a folder and returns what it wrote."""

from fake.array_archives import code15, code_test, cpsc2018_struct, folder, sph
from fake.common import KINDS, Archive, Item, Kind
from fake.exports import cardiosoft, edf, muse
from fake.waves import ecg
from fake.wfdb_archives import cinc, ludb, mimic_iv_ecg, ptbxl, write_wfdb

__all__ = [
    "KINDS",
    "Archive",
    "Item",
    "Kind",
    "cardiosoft",
    "cinc",
    "code15",
    "code_test",
    "cpsc2018_struct",
    "ecg",
    "edf",
    "folder",
    "ludb",
    "mimic_iv_ecg",
    "muse",
    "ptbxl",
    "sph",
    "write_wfdb",
]
