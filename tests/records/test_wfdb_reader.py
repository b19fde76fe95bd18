from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import wfdb

import fake
from ecg_lightning.records import LEADS, RecordError, read_header, read_record, read_wfdb
from ecg_lightning.records.patient import parse_patient
from ecg_lightning.records.wfdb_header import parse_header

# Every WFDB folder of the shared data but LUDB, whose gains are mended (test_gains.py).
FOLDERS = (
    "ptbxl/records100", "ptbxl/records500", "georgia", "chapman_ningbo", "cpsc2018", "cpsc2018_extra",
    "code15_chagas", "ptbdb_cinc",
)  # fmt: skip
WAVE = fake.ecg(600, 300, seed=1)


@pytest.mark.parametrize("folder", FOLDERS)
def test_equals_wfdb_on_real_recordings(shared_data: Path, folder: str) -> None:
    headers = sorted((shared_data / folder).rglob("*.hea"))
    assert headers
    for header in headers[:: max(1, len(headers) // 8)]:
        record = read_wfdb(header)
        assert not {"wrong_checksum", "samples_beyond_header"} & {*record.quality}
        reference = wfdb.rdrecord(str(header.with_suffix("")))
        assert record.sampling_rate == reference.fs
        assert record.signal.dtype == np.float32
        np.testing.assert_allclose(record.signal, reference.p_signal.T, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("suffix", ["", ".hea", ".dat"])
def test_path_with_or_without_suffix_and_not_ascii(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "Größe 心电图" / "Ü-01.v2.dat"
    stored = fake.write_wfdb(path, WAVE, 300)
    record = read_wfdb(path.with_suffix(suffix))
    np.testing.assert_array_equal(record.signal, stored)
    assert (record.record_id, record.quality) == ("Ü-01.v2", ())


@pytest.mark.parametrize("form", ["212", "24", "32", "80"])
def test_other_formats_are_read_by_wfdb(tmp_path: Path, form: str) -> None:
    gain = [10.0 if form == "80" else 200.0] * 12
    options = {"p_signal": WAVE.T, "fmt": [form] * 12, "adc_gain": gain, "baseline": [0] * 12}
    wfdb.wrsamp("other", 300, ["mV"] * 12, list(LEADS), write_dir=str(tmp_path), **options)
    record = read_wfdb(tmp_path / "other")
    np.testing.assert_allclose(record.signal, wfdb.rdrecord(str(tmp_path / "other")).p_signal.T, atol=1e-6)
    assert np.abs(record.signal - WAVE).max() < 1 / gain[0]


def test_two_files_with_frank_leads_as_in_the_ptb_database(tmp_path: Path) -> None:
    names = [lead.lower() for lead in LEADS] + ["vx", "vy", "vz"]
    wave = np.concatenate([WAVE, WAVE[:3]])
    fake.write_wfdb(tmp_path / "s1.dat", wave[:12], 1000, leads=names[:12])
    fake.write_wfdb(tmp_path / "s2.xyz", wave[12:], 1000, leads=names[12:])
    lines = [(tmp_path / f"{part}.hea").read_text().splitlines()[1:] for part in ("s1", "s2")]
    (tmp_path / "s1.hea").write_text("\n".join(["s1 15 1000 600", *lines[0], *lines[1]]) + "\n")
    record = read_wfdb(tmp_path / "s1")
    np.testing.assert_allclose(record.signal, WAVE, atol=5.1e-4)
    assert record.quality == ("extra_leads_dropped",)


def test_segments_are_joined_by_wfdb(tmp_path: Path) -> None:
    for number in (1, 2):
        fake.write_wfdb(tmp_path / f"part{number}.dat", WAVE, 300)
    (tmp_path / "whole.hea").write_text("whole/2 12 300 1200\npart1 600\npart2 600\n")
    assert read_wfdb(tmp_path / "whole").signal.shape == (12, 1200)


@pytest.mark.parametrize(("field", "factor"), [("1000/mV", 1), ("1/uV", 1), ("1e6/V", 1), ("500(0)/mV", 2), ("0", 5)])
def test_gain_and_unit_of_the_header(tmp_path: Path, field: str, factor: float) -> None:
    stored = fake.write_wfdb(tmp_path / "a.dat", WAVE, 300, gain_fields=[field] * 12)
    record = read_wfdb(tmp_path / "a")
    np.testing.assert_allclose(record.signal, factor * stored, atol=1e-6)
    assert record.quality == (("gain_assumed:200",) if field == "0" else ())


def test_lowest_step_is_no_number_and_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    fake.write_wfdb(path, WAVE, 300)
    steps = np.fromfile(path, "<i2").reshape(600, 12)
    steps[100, 4] = -32768
    steps.tofile(path)
    assert np.isnan(read_wfdb(path).signal[4, 100]) and np.isnan(wfdb.rdrecord(str(tmp_path / "a")).p_signal[100, 4])
    record = read_record(path)
    assert record.quality == ("wrong_checksum", "nan_filled:aVL")  # the test changed the file behind its header
    assert record.signal[4, 100] == pytest.approx((steps[99, 4] + steps[101, 4]) / 2000)


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-24])


def _no_samples(path: Path) -> None:
    path.write_bytes(b"")
    path.with_suffix(".hea").write_text(path.with_suffix(".hea").read_text().replace("300 600", "300 0"))


def _edit(old: str, new: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        header = path.with_suffix(".hea")
        header.write_text(header.read_text().replace(old, new))

    return edit


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_shorten, "truncated signal"),
        (_no_samples, "empty signal"),
        (Path.unlink, "no such file"),
        (lambda path: path.with_suffix(".hea").write_text(""), "bad header"),
        (lambda path: path.with_suffix(".hea").write_text("# only comments\n"), "bad header"),
        (_edit("a 12 300", "a 14 300"), "bad header"),
        (_edit("a 12 300 600", "a 12 fast 600"), "bad header"),
        (_edit(" 16 1000", " sixteen 1000"), "bad header"),
        (_edit("/mV", "/mmHg"), "unknown unit"),
        (_edit(" 0 II\n", " 0 I\n"), "ambiguous leads"),
        (_edit(" 0 I", " 0 X"), "missing limb leads"),
        (_edit(" 0 V", " 0 Brustwand "), "unknown lead names"),
        (_edit("a 12 300 600", "a -1 300 600"), "bad header"),
        (_edit("a 12 300 600", "a 12 300 -600"), "bad header"),
        (_edit("1000(0)/mV", "abc"), "bad header"),
        (_edit("1000(0)/mV", "1e(0)/mV"), "bad header"),
        (_edit(".dat 16 ", ".dat 99 "), "unreadable by wfdb"),
        (_edit("a 12 300 600", "a 12 0 600"), "bad sampling rate"),
    ],
)
def test_damage_has_a_stable_reason_and_names_the_file(
    tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    path = tmp_path / "a.dat"
    fake.write_wfdb(path, WAVE, 300)
    damage(path)
    with pytest.raises(RecordError) as caught:
        read_record(path)
    assert caught.value.reason == reason
    assert str(tmp_path / "a") in str(caught.value)


def test_a_wrong_checksum_is_flagged(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    fake.write_wfdb(path, WAVE, 300)
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    record = read_wfdb(path)
    assert (record.signal.shape, record.quality) == ((12, 600), ("wrong_checksum",))


def test_a_header_that_the_size_of_its_file_contradicts(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    fake.write_wfdb(path, WAVE, 300)
    header = path.with_suffix(".hea")
    whole = header.read_text()
    eleven = whole.replace("a 12 300", "a 11 300").splitlines()[:-1]  # announced over a file of twelve
    for text in ("\n".join(eleven), whole.replace("300 600", "300 240")):
        header.write_text(text)
        with pytest.raises(RecordError, match=r"contradictory header: .* announced, and the file holds \d+ bytes more"):
            read_wfdb(path)
    header.write_text(whole)
    with path.open("ab") as file:
        file.write(bytes(100))  # the sums prove that the header knows its own samples
    record = read_wfdb(path)
    assert (record.signal.shape, record.quality) == ((12, 600), ("samples_beyond_header",))


def test_a_rate_that_the_header_lacks_is_assumed_or_given(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    fake.write_wfdb(path, WAVE, 300)
    _edit("a 12 300 600", "a 12")(path)
    record = read_record(path)
    assert (record.sampling_rate, record.quality) == (250, ("rate_assumed:250Hz",))
    record = read_record(path, sampling_rate=300)
    assert (record.sampling_rate, record.quality) == (300, ())


def test_samples_are_counted_from_the_file_where_the_header_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    fake.write_wfdb(path, WAVE, 300)
    _edit("a 12 300 600", "a 12 300")(path)
    assert read_wfdb(path).signal.shape == (12, 600)


@pytest.mark.parametrize(
    ("comments", "expected"),
    [
        ("#Age: 74\n#Sex: Male\n#Dx: 59118001,164889003", ("", 74, "M", ("59118001", "164889003"))),  # CinC
        ("# Exam ID: 1\n# Patient ID: 48705\n# Age: 43\n# Sex: Female", ("48705", 43, "F", ())),  # CODE-15%
        ("#<age>: 51\n#<sex>: F\n#<diagnoses>:\n#Rhythm: Sinus rhythm.", ("", 51, "F", ())),  # LUDB
        ("# <age>: 65 <sex>: F <diagnoses> Coronary artery disease", ("", 65, "F", ())),  # INCART
        ("# age: 81\n# sex: female\n# Reason for admission: n/a", ("", 81, "F", ())),  # PTB
    ],
)
def test_patient_in_comments(comments: str, expected: tuple[str, float, str, tuple[str, ...]]) -> None:
    patient = parse_patient(comments)
    assert (patient.patient_id, patient.age, patient.sex, patient.codes) == expected


def test_an_empty_value_does_not_take_the_next_line() -> None:
    patient = parse_patient("#Dx:\n#Rx: Aspirin\n#Age:\n#Sex: Male\n# Patient ID:\n# Age: 50\n")
    assert (patient.codes, patient.age, patient.sex, patient.patient_id) == ((), 50, "M", "")


def test_unknown_age_and_sex() -> None:
    patient = parse_patient("#Age: NaN\n#Sex: Unknown\n#Dx: \n")
    assert np.isnan(patient.age) and patient.sex == "" and patient.codes == ()
    assert np.isnan(parse_patient("#Age: -1").age) and np.isnan(parse_patient("#Age: 300").age)


def test_date_is_taken_from_the_standard_form_alone(tmp_path: Path) -> None:
    assert parse_header("a 0 500 10 17:21:00 07/05/2180\n").date == "2180-05-07"
    assert parse_header("a 0 500 10 05-May-2020 14:50:55\n").date == ""


def test_header_alone(tmp_path: Path) -> None:
    archive = fake.cinc(tmp_path, 1)
    header = read_header(archive.items[0].path)
    assert (header.sampling_rate, header.samples, len(header.signals)) == (500, 5000, 12)
    assert parse_patient(header.comments).codes == archive.items[0].codes


@pytest.mark.parametrize("unit", ["l/min", "NU", "mmHg", "%", "degC", "uV"])
@pytest.mark.parametrize("form", ["16", "212"])
def test_a_channel_that_is_no_lead_needs_no_unit(tmp_path: Path, unit: str, form: str) -> None:
    extra = np.concatenate([WAVE[:6], 0.1 * WAVE[:1], WAVE[6:]])
    names = [*LEADS[:6], "CPAP Flow", *LEADS[6:]]
    units = ["mV"] * 6 + [unit] + ["mV"] * 6
    options = {"p_signal": extra.T, "fmt": [form] * 13, "adc_gain": [1000.0] * 13, "baseline": [0] * 6 + [7] + [0] * 6}
    wfdb.wrsamp("a", 300, units, names, write_dir=str(tmp_path), **options)
    record = read_record(tmp_path / "a")
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-3)
    assert record.quality == ("extra_leads_dropped",)


@pytest.mark.parametrize("head", ["\ufeff", "\ufeff# exported by a cart\n", "# café\n", "\n\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_a_header_in_any_encoding_with_something_before_it(tmp_path: Path, head: str, encoding: str) -> None:
    stored = fake.write_wfdb(tmp_path / "a.dat", WAVE, 300)
    header = tmp_path / "a.hea"
    if encoding == "cp1252":
        head = head.lstrip("\ufeff")
    header.write_bytes((head + header.read_text()).encode(encoding))
    np.testing.assert_array_equal(read_wfdb(header).signal, stored)


@pytest.mark.parametrize("name", ["sub/a", "./a", "a.dat", "/data/2020/a"])
def test_a_path_in_the_record_line_is_no_number_of_segments(tmp_path: Path, name: str) -> None:
    stored = fake.write_wfdb(tmp_path / "a.dat", WAVE, 300)
    header = tmp_path / "a.hea"
    header.write_text(header.read_text().replace("a 12 300", f"{name} 12 300", 1))
    record = read_wfdb(header)
    np.testing.assert_array_equal(record.signal, stored)
    assert record.record_id == "a"


def _frames(path: Path, per_frame: dict[str, int], rate: int) -> None:
    """Writes signals of format 16 of which each has so many samples a frame of `WAVE`'s first seconds."""
    count = 300
    parts = [
        np.rint(1000 * WAVE[LEADS.index(name) if name in LEADS else 0, : count * 2 : 2 // n]).reshape(count, n)
        for name, n in per_frame.items()
    ]
    np.concatenate(parts, axis=1).astype("<i2").tofile(path.with_suffix(".dat"))
    lines = [f"{path.stem}.dat 16x{n} 1000(0)/mV 16 0 0 0 0 {name}" for name, n in per_frame.items()]
    path.with_suffix(".hea").write_text("\n".join([f"{path.stem} {len(per_frame)} {rate} {count}", *lines]) + "\n")


def test_several_samples_a_frame_give_the_leads_their_own_rate(tmp_path: Path) -> None:
    _frames(tmp_path / "a", {**dict.fromkeys(LEADS, 2), "RESP": 1}, 150)
    record = read_record(tmp_path / "a")
    assert (record.sampling_rate, record.quality) == (300, ("extra_leads_dropped",))
    np.testing.assert_allclose(record.signal, WAVE, atol=5.1e-4)


def test_a_fast_channel_that_is_no_lead_does_not_set_the_rate(tmp_path: Path) -> None:
    _frames(tmp_path / "a", {**dict.fromkeys(LEADS, 1), "RESP": 2}, 150)
    record = read_record(tmp_path / "a")
    assert (record.sampling_rate, record.quality) == (150, ("extra_leads_dropped",))
    np.testing.assert_allclose(record.signal, WAVE[:, ::2], atol=5.1e-4)


def test_a_slower_lead_is_brought_to_the_rate_of_the_others(tmp_path: Path) -> None:
    _frames(tmp_path / "a", {**dict.fromkeys(LEADS, 2), "V6": 1}, 150)
    record = read_record(tmp_path / "a")
    assert (record.sampling_rate, record.quality) == (300, ("upsampled:V6",))
    np.testing.assert_allclose(record.signal[:11], WAVE[:11], atol=5.1e-4)
    np.testing.assert_allclose(record.signal[11, ::2], WAVE[11, ::2], atol=2e-3)  # the samples that are stored
    assert np.corrcoef(record.signal[11], WAVE[11])[0, 1] > 0.99
