"""Recordings, and readers of the file formats that they come in."""

from ecg_lightning.records.fingerprints import fingerprint, matching_pairs
from ecg_lightning.records.leads import lead_name, standard_leads
from ecg_lightning.records.missing import stated, stated_id
from ecg_lightning.records.patient import Patient, parse_age, parse_patient, parse_sex
from ecg_lightning.records.read import read_record, read_unrepaired
from ecg_lightning.records.record import LEADS, Record, RecordError
from ecg_lightning.records.repairs import repair, trim_padding
from ecg_lightning.records.wfdb_header import Header
from ecg_lightning.records.wfdb_reader import read_header, read_wfdb

__all__ = [
    "LEADS",
    "Header",
    "Patient",
    "Record",
    "RecordError",
    "fingerprint",
    "lead_name",
    "matching_pairs",
    "parse_age",
    "parse_patient",
    "parse_sex",
    "read_header",
    "read_record",
    "read_unrepaired",
    "read_wfdb",
    "repair",
    "standard_leads",
    "stated",
    "stated_id",
    "trim_padding",
]
