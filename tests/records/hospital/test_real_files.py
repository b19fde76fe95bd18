"""Real files of eleven formats, against amplitudes, rates and leads that independent decoders found in them."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ecg_lightning.records import LEADS, Record, RecordError, read_record, read_unrepaired
from ecg_lightning.records.leads import lead_name

FILES = (
    "cardiosoft/cardiosoft_v6_73.xml", "dicom/ecgtoolkit_implicit_vr_padding0.dcm", "dicom/ge_mv360_488nv.dcm",
    "dicom/mortara_eli250_1000hz.dcm", "edf/contec_limb_only_misscaled.edf", "edf/derived_12lead_edfplus.edf",
    "hl7_aecg/hl7_example_eli250.xml", "hl7_aecg/mindray_r12_100hz.xml", "ishne/derived_12lead_500hz.ecg",
    "kardia/derived_single_lead_a.json", "mfer/derived_12lead_big_endian.mwf", "muse/muse_v9_example1.xml",
    "muse/muse_v9_example4.xml", "philips/philips_1_04_utf16le.xml", "philips/sierra_1_03_mrx.xml",
    "scp/huffman_diff2_eli250.scp", "scp/raw_8lead_1000hz_start0.scp", "scp/welchallyn_huffman_diff1_a.scp",
    "wfdb/derived_fmt212/fmt212.hea", "wfdb/s0010_re/s0010_re.hea",
)  # fmt: skip


@pytest.fixture(scope="module")
def formats(shared_data: Path) -> Path:
    folder = shared_data / "hospital_formats"
    if not folder.is_dir():
        pytest.skip(f"no files of hospitals at {folder}")
    return folder


@pytest.fixture(scope="module")
def reference(formats: Path) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads((formats / "reference.json").read_text())
    return entries


def sha1_uv(millivolts: NDArray[np.floating]) -> str:
    """The reference's digest of whole microvolts, halves rounded up."""
    microvolts = np.floor(np.round(millivolts.astype(np.float64) * 1000.0, 3) + 0.5)
    return hashlib.sha1(microvolts.astype("<i4").tobytes()).hexdigest()


def row(record: Record, lead: str) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = record.signal[LEADS.index(lead)]
    return samples


@pytest.mark.parametrize("name", FILES)
def test_every_sample_is_that_of_the_reference(name: str, formats: Path, reference: dict[str, Any]) -> None:
    entry = reference[name]
    record = read_unrepaired(formats / name, incomplete=True)
    is_philips = entry["format"] == "philips"  # whose calibration pulse is cut
    assert record.sampling_rate == pytest.approx(entry["sampling_rate_hz"], abs=1e-8)
    length = record.signal.shape[1]
    assert length == entry["n_samples"] or (is_philips and length < entry["n_samples"])
    leads = {standard: values for written, values in entry["lead_values"].items() if (standard := lead_name(written))}
    for lead, values in leads.items():
        samples = row(record, lead)
        probes = [
            (place, value) for place, value in zip(entry["probe_index"], values["probe"], strict=True) if place < length
        ]
        expected = [*values["first5"], *(value for _, value in probes)]
        actual = [*samples[:5], *(samples[place] for place, _ in probes)]
        np.testing.assert_allclose(actual, expected, atol=0.0005)
        if not is_philips:
            assert sha1_uv(samples) == values["sha1_uv"]
    missing = {flag.removeprefix("missing:") for flag in record.quality if flag.startswith("missing:")}
    assert missing == (set(LEADS) - set(leads) if entry["twelve_lead"] == "no: one lead" else set())


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("kardia")])
def test_every_twelve_lead_file_is_a_usable_recording(name: str, formats: Path) -> None:
    record = read_record(formats / name)
    assert np.isfinite(record.signal).all() and not any(flag.startswith("missing:") for flag in record.quality)


def test_one_ecg_is_the_same_in_dicom_scp_and_aecg_and_zeros_are_samples(
    formats: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = (
        "dicom/ecgtoolkit_implicit_vr_padding0.dcm",
        "scp/huffman_diff2_eli250.scp",
        "hl7_aecg/hl7_example_eli250.xml",
    )
    dicom, scp, aecg = (read_unrepaired(formats / name) for name in names)
    assert not caplog.records  # pydicom logs values that are not as the standard says, which may be names
    assert (dicom.signal == 0).sum() > 500  # of which the padding value makes gaps
    np.testing.assert_allclose(scp.signal, dicom.signal, atol=1e-6)
    np.testing.assert_allclose(aecg.signal, dicom.signal, atol=1e-6)
    assert (dicom.age, dicom.sex, dicom.date) == (49, "M", "2002-11-22 09:10:00")


@pytest.mark.parametrize(("name", "last"), [("philips_1_04_utf16le.xml", 5299), ("sierra_1_03_mrx.xml", 5263)])
def test_the_calibration_pulse_of_philips_is_cut(name: str, last: int, formats: Path) -> None:
    record = read_unrepaired(formats / "philips" / name)
    assert record.signal.shape[1] == last + 1 and "calibration_removed" in record.quality


@pytest.mark.parametrize("name", ["muse/muse_v9_example1.xml", "scp/raw_8lead_1000hz_start0.scp"])
def test_eight_leads_become_twelve(name: str, formats: Path) -> None:
    record = read_unrepaired(formats / name)
    one, two = row(record, "I"), row(record, "II")
    for lead, samples in {
        "III": two - one,
        "aVR": -(one + two) / 2,
        "aVL": one - two / 2,
        "aVF": two - one / 2,
    }.items():
        np.testing.assert_allclose(row(record, lead), samples, atol=1e-6)
    assert record.quality == ("limb_leads_derived",)


def test_rates_are_exact(formats: Path) -> None:
    assert read_unrepaired(formats / "scp/welchallyn_huffman_diff1_a.scp").sampling_rate == pytest.approx(1e6 / 1667)


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("dicom/ge_mv360_488nv.dcm", 5000),
        ("muse/muse_v9_example1.xml", 5000),
        ("cardiosoft/cardiosoft_v6_73.xml", 5000),
    ],
)
def test_a_median_beat_beside_the_recording_is_not_read(name: str, samples: int, formats: Path) -> None:
    assert read_unrepaired(formats / name).signal.shape == (12, samples)


def test_patients_have_age_sex_and_date_and_no_name(formats: Path) -> None:
    cardiosoft = read_unrepaired(formats / "cardiosoft/cardiosoft_v6_73.xml")
    assert (cardiosoft.age, cardiosoft.sex, cardiosoft.date) == (53, "M", "2018-07-19 14:19:39")
    assert cardiosoft.codes == ("Sinus bradycardia", "Otherwise normal ECG")
    philips = read_unrepaired(formats / "philips/philips_1_04_utf16le.xml")
    assert (philips.age, philips.sex, philips.patient_id) == (60, "M", "9999")
    assert philips.codes[0] == "SINUS RHYTHM" and "ZZDEMOPTONLY" not in repr(philips)
    ishne = read_unrepaired(formats / "ishne/derived_12lead_500hz.ecg")
    assert np.isnan(ishne.age)  # of a birth in 1900, which stands for none
    aecg = read_unrepaired(formats / "hl7_aecg/hl7_example_eli250.xml")
    assert np.isnan(aecg.age) and "contradictory:age" in aecg.quality  # 46, and by its dates 49
    assert "Clark" not in repr(read_unrepaired(formats / "scp/huffman_diff2_eli250.scp"))
    assert (
        read_unrepaired(formats / "edf/contec_limb_only_misscaled.edf").patient_id == ""
    )  # free text with a name in it


def test_other_leads_are_never_renamed(formats: Path, tmp_path: Path) -> None:
    for options in ({}, {"leads": ["I", "II", "III"]}):
        with pytest.raises(RecordError, match=r"missing limb leads: .* found X, Y, Z"):
            read_record(formats / "ishne/thew_xyz_200hz.ecg", incomplete=True, **options)
    with pytest.raises(RecordError, match="missing limb leads"):
        read_record(formats / "kardia/derived_single_lead_a.json")
    text = (formats / "muse/muse_v9_example1.xml").read_text(encoding="latin-1")
    for lead, other in (("V3", "V3R"), ("V5", "V7")):
        assert f"<LeadID>{lead}</LeadID>" in text
        text = text.replace(f"<LeadID>{lead}</LeadID>", f"<LeadID>{other}</LeadID>")
    (tmp_path / "right.xml").write_text(text, encoding="latin-1")
    record = read_record(tmp_path / "right.xml")
    assert {"missing:V3", "missing:V5", "extra_leads_dropped"} <= {*record.quality}
    assert not row(record, "V3").any() and not row(record, "V5").any() and row(record, "V4").any()


@pytest.mark.parametrize(
    ("name", "unit", "absent"),
    [
        ("muse/muse_v9_example1.xml", b"<LeadAmplitudeUnits>MICROVOLTS</LeadAmplitudeUnits>", b""),
        ("philips/sierra_1_03_mrx.xml", b"signalresolution", b"signalres0lution"),
        ("cardiosoft/cardiosoft_v6_73.xml", b'units="uVperLsb"', b""),
        ("hl7_aecg/mindray_r12_100hz.xml", b'unit="uV"', b""),
        ("edf/derived_12lead_edfplus.edf", b"uV      ", b"        "),
    ],
)
def test_samples_without_a_unit_are_refused_or_flagged(
    name: str, unit: bytes, absent: bytes, formats: Path, tmp_path: Path
) -> None:
    data = (formats / name).read_bytes()
    assert unit in data
    file = tmp_path / "unknown"
    file.write_bytes(data.replace(unit, absent))
    with pytest.raises(RecordError, match="unknown unit: the file does not state"):
        read_record(file)
    assert "unit_assumed:uV" in read_record(file, unit="uV").quality


@pytest.mark.parametrize("name", ["no_suffix", "a.dat", "a.csv", "a.xml", "a.mat", "a.npy"])
@pytest.mark.parametrize(
    "original", ["dicom/ge_mv360_488nv.dcm", "muse/muse_v9_example4.xml", "mfer/derived_12lead_big_endian.mwf"]
)
def test_the_content_says_the_format(name: str, original: str, formats: Path, tmp_path: Path) -> None:
    shutil.copy(formats / original, tmp_path / name)
    np.testing.assert_array_equal(read_unrepaired(tmp_path / name).signal, read_unrepaired(formats / original).signal)


def test_a_file_that_only_has_the_name_of_a_format_is_refused(formats: Path) -> None:
    with pytest.raises(RecordError, match="called like an SCP-ECG file, but its content is of another format"):
        read_record(formats / "scp/healforce_noncompliant.scp")
