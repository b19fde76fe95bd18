"""Files as hospitals export them: DICOM, GE, HL7, Philips, SCP-ECG, ISHNE, EDF, MFER, AliveCor. Known by their content."""

from ecg_lightning.records.hospital.detection import HospitalFormat, hospital_format
from ecg_lightning.records.hospital.read import check_installed, read_hospital

__all__ = ["HospitalFormat", "check_installed", "hospital_format", "read_hospital"]
