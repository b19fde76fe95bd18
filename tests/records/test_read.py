from math import isnan
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import fake
from ecg_lightning.records import LEADS, RecordError, read_record

WAVE = fake.ecg(1000, 250, seed=4).astype(np.float32)


def test_real_matlab_and_hdf5(shared_data: Path) -> None:
    struct = read_record(shared_data / "cpsc2018_struct" / "A1981.mat")
    assert (struct.signal.shape, struct.sampling_rate, struct.age, struct.sex) == ((12, 7950), 500, 48, "F")
    assert struct.signal[0, 0] == pytest.approx(-0.00892321)
    exam = read_record(shared_data / "code15" / "code_15_1238362.mat")
    assert (exam.signal.shape, exam.sampling_rate, exam.quality) == ((12, 2934), 400, ())
    path = shared_data / "sph" / "records" / "SPH00001.h5"
    with h5py.File(path) as file:
        np.testing.assert_array_equal(read_record(path, sampling_rate=500).signal, file["ecg"][:].astype(np.float32))


def test_matlab_beside_a_header_is_wfdb_and_alone_an_array_of_microvolts(tmp_path: Path) -> None:
    item = fake.cinc(tmp_path, 1).items[0]
    assert read_record(item.path).codes == item.codes
    item.path.with_suffix(".hea").unlink()
    record = read_record(item.path, sampling_rate=500)
    np.testing.assert_allclose(record.signal, item.signal, atol=1e-6)
    assert record.quality == ("unit_assumed:uV",) and record.codes == ()


def test_matlab_7_3_is_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "new.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["val"] = WAVE.T
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    np.testing.assert_array_equal(read_record(path, sampling_rate=250).signal, WAVE)


def test_what_the_file_says_of_itself(tmp_path: Path) -> None:
    order = LEADS[::-1]
    np.savez(tmp_path / "a.npz", x=1000 * WAVE[::-1], fs=250, unit="uV", leads=np.array(order), age=61, sex="female")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/ecg"] = WAVE[::-1]
        file["group/ecg"].attrs.update(sampling_rate=250, leads=list(order), unit="mV")
    savemat(tmp_path / "a.mat", {"signal": WAVE, "fs": 250.0, "age": 61})
    for suffix in (".npz", ".h5", ".mat"):
        record = read_record(tmp_path / f"a{suffix}")
        np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
        assert record.sampling_rate == 250 and record.quality == ()
    assert (read_record(tmp_path / "a.npz").age, read_record(tmp_path / "a.npz").sex) == (61, "F")


@pytest.mark.parametrize(("unit", "factor"), [("mV", 1), ("uV", 1000), ("µV", 1000), ("V", 1e-3), ("200", 200)])
def test_units(tmp_path: Path, unit: str, factor: float) -> None:
    np.save(tmp_path / "a.npy", factor * WAVE)
    np.testing.assert_allclose(read_record(tmp_path / "a.npy", sampling_rate=250, unit=unit).signal, WAVE, atol=1e-6)


def test_both_orientations(tmp_path: Path) -> None:
    for number, array in enumerate((WAVE, WAVE.T, WAVE[None], np.asfortranarray(WAVE))):
        np.save(tmp_path / f"{number}.npy", array)
        record = read_record(tmp_path / f"{number}.npy", sampling_rate=250)
        np.testing.assert_array_equal(record.signal, WAVE)
        assert record.signal.flags.c_contiguous


def test_leads_by_argument(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", WAVE[[1, 0, 6, 7, 8, 9, 10, 11]].T)
    record = read_record(tmp_path / "a.npy", sampling_rate=250, leads=["II", "I", *LEADS[6:]])
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
    assert record.quality == ("lead_order_assumed", "limb_leads_derived")


def test_dataset_by_argument(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", raw=WAVE, filtered=2 * WAVE)
    with pytest.raises(RecordError, match=r"ambiguous signal: raw, filtered all fit; say which: data\.file_dataset"):
        read_record(tmp_path / "a.npz", sampling_rate=250)
    record = read_record(tmp_path / "a.npz", sampling_rate=250, dataset="filtered")
    np.testing.assert_array_equal(record.signal, 2 * WAVE)


def _csv(separator: str, *, names: bool = True, time: bool = False, decimal: str = ".") -> str:
    columns = [*(["time"] if time else []), *(f"{lead.lower()} (uV)" for lead in LEADS)]
    rows = [separator.join(columns)] if names else []
    for i, sample in enumerate(1000 * WAVE.T):
        cells = [*([f"{i / 250:.3f}"] if time else []), *(f"{value:.4f}" for value in sample)]
        rows.append(separator.join(cells).replace(".", decimal))
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        _csv(","),
        _csv(",", time=True),
        _csv(";", time=True, decimal=","),
        _csv("\t"),
        "\ufeff" + _csv(","),
        _csv(",").replace("\n", "\r\n"),
    ],
)
def test_csv_with_names(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Müller.csv"
    path.write_bytes(text.encode())
    record = read_record(path, sampling_rate=250)
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
    assert (record.quality, record.record_id) == ((), "Müller")


@pytest.mark.parametrize("form", ["EKG {}", "Ableitung {}", "{}_mV", "ecg-{}", "Abl. {} (mV)", "EKG-{} [mV]"])
def test_csv_with_names_of_other_devices(tmp_path: Path, form: str) -> None:
    names = [form.format(lead) for lead in LEADS[::-1]]
    rows = [",".join(names), *(",".join(f"{value:.6f}" for value in sample) for sample in WAVE[::-1].T)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    record = read_record(tmp_path / "a.csv", sampling_rate=250)
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
    assert record.quality == ()


def test_csv_with_the_unit_behind_the_name(tmp_path: Path) -> None:
    rows = [
        ",".join(f"{lead}_uV" for lead in LEADS),
        *(",".join(f"{v:.3f}" for v in sample) for sample in 1000 * WAVE.T),
    ]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    record = read_record(tmp_path / "a.csv", sampling_rate=250)
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)
    assert record.quality == ()


@pytest.mark.parametrize(("separator", "decimal"), [(",", "."), (";", ",")])
def test_csv_with_leads_in_rows(tmp_path: Path, separator: str, decimal: str) -> None:
    cells = ([lead, *(f"{v:.6f}".replace(".", decimal) for v in row)] for lead, row in zip(LEADS, WAVE, strict=True))
    (tmp_path / "a.csv").write_text("\n".join(separator.join(row) for row in cells))
    np.testing.assert_allclose(read_record(tmp_path / "a.csv", sampling_rate=250).signal, WAVE, atol=1e-6)


def test_unknown_names_of_leads_are_refused_unless_said(tmp_path: Path) -> None:
    rows = [",".join(f"ch{i}" for i in range(12)), *(",".join(f"{v:.6f}" for v in sample) for sample in WAVE[::-1].T)]
    (tmp_path / "a.csv").write_text("\n".join(rows))
    with pytest.raises(RecordError, match=r"unknown lead names: ch0, ch1, .*data\.file_leads"):
        read_record(tmp_path / "a.csv", sampling_rate=250)
    record = read_record(tmp_path / "a.csv", sampling_rate=250, leads=LEADS[::-1])
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)


def test_names_of_the_file_are_not_overridden(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=WAVE, leads=np.array([f"lead {lead}" for lead in LEADS]), fs=250)
    fake.write_wfdb(tmp_path / "b.dat", WAVE, 250)
    for name in ("a.npz", "b.dat"):
        with pytest.raises(RecordError, match=r"contradictory leads: the file says .*I, .*expected V6, V5"):
            read_record(tmp_path / name, leads=LEADS[::-1])
        np.testing.assert_allclose(read_record(tmp_path / name, leads=LEADS).signal, WAVE, atol=6e-4)


def test_a_row_of_a_stack(tmp_path: Path) -> None:
    stack = np.stack([WAVE, 2 * WAVE, 3 * WAVE])
    np.save(tmp_path / "a.npy", stack)
    np.savez(tmp_path / "a.npz", x=stack.transpose(0, 2, 1), fs=250)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["fs"], file["other"] = stack, 250, np.zeros((3, 5, 99))
    for name, dataset in (("a.npy", None), ("a.npz", "x"), ("a.h5", "x"), ("a.h5", None)):
        record = read_record(tmp_path / name, sampling_rate=250, dataset=dataset, row=2)
        np.testing.assert_array_equal(record.signal, stack[2])
        with pytest.raises(RecordError, match="no signal: there is no row 3; the array has the rows 0 to 2"):
            read_record(tmp_path / name, sampling_rate=250, dataset=dataset, row=3)


@pytest.mark.parametrize("time", [False, True])
def test_csv_without_names(tmp_path: Path, time: bool) -> None:
    (tmp_path / "a.csv").write_text(_csv(",", names=False, time=time))
    record = read_record(tmp_path / "a.csv", sampling_rate=250, unit="uV")
    np.testing.assert_allclose(record.signal, WAVE, atol=1e-6)


def test_csv_with_empty_cells_is_interpolated(tmp_path: Path) -> None:
    lines = _csv(",").splitlines()
    lines[11] = "," + lines[11].partition(",")[2]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    record = read_record(tmp_path / "a.csv", sampling_rate=250)
    assert record.quality == ("nan_filled:I",)
    assert record.signal[0, 10] == pytest.approx((WAVE[0, 9] + WAVE[0, 11]) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "arguments", "reason"),
    [
        ("a.npy", WAVE, {}, "no sampling rate"),
        ("a.npy", WAVE[:, :12], {"sampling_rate": 10}, "ambiguous orientation"),
        ("a.npy", WAVE[:11], {"sampling_rate": 250}, "no signal"),
        ("a.npy", WAVE[0], {"sampling_rate": 250}, "no signal"),
        ("a.npy", WAVE, {"sampling_rate": 250, "unit": "bananas"}, "unknown unit"),
        ("a.npy", np.zeros((12, 0), np.float32), {"sampling_rate": 250}, "empty signal"),
        ("a.npy", WAVE, {"sampling_rate": 0}, "bad sampling rate"),
        ("a.npz", {"x": WAVE, "fs": 500}, {"sampling_rate": 250}, "contradictory sampling rate"),
        ("a.npz", {"x": WAVE, "unit": "uV", "fs": 1}, {"unit": "mV"}, "contradictory unit"),
        ("a.npz", {"x": WAVE}, {"dataset": "y"}, "no signal"),
        ("a.npy", b"\x93NUMPY not really", {}, "unreadable file"),
        ("a.npz", b"PK not really", {}, "unreadable file"),
        ("a.mat", b"not really", {}, "unreadable file"),
        ("a.mat", b"", {}, "unreadable file"),
        ("a.h5", b"not really", {}, "unreadable file"),
        ("a.csv", b"I,II,III\n1,2,3\n1,2\n", {}, "unreadable file"),
        ("a.csv", b"", {}, "empty signal"),
        ("a.csv", b"I,II,III,V1\n1,2,3\n1,2,4\n", {}, "unreadable file"),
        ("a.csv", b"Report\nof a recording\n", {}, "unreadable file"),
        ("a.npy", WAVE.astype(complex), {"sampling_rate": 250}, "no signal"),
        ("a.npy", np.stack([WAVE, WAVE]), {"sampling_rate": 250}, "several recordings"),
        ("a.csv", b"I (mV),II\n1,2\n3,4\n5,6\n", {}, "ambiguous unit"),
        ("a.npy", None, {}, "no such file"),
    ],
)
def test_refusals_name_the_file(
    tmp_path: Path, name: str, content: object, arguments: dict[str, str | float], reason: str
) -> None:
    path = tmp_path / name
    match content:
        case bytes():
            path.write_bytes(content)
        case dict():
            np.savez(path, **content)
        case np.ndarray():
            np.save(path, content)
    with pytest.raises(RecordError) as caught:
        read_record(path, **arguments)
    assert caught.value.reason == reason
    assert str(caught.value).count(str(path.with_suffix(""))) == 1


def test_a_damaged_npz_has_a_reason(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=WAVE)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[2000:2100] = bytes(100)
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(RecordError, match="unreadable file"):
        read_record(tmp_path / "a.npz", sampling_rate=250)


def test_rate_of_a_header_must_agree(tmp_path: Path) -> None:
    item = fake.cinc(tmp_path, 1).items[0]
    with pytest.raises(RecordError, match="contradictory sampling rate: 500 Hz in the file, expected 100 Hz"):
        read_record(item.path, sampling_rate=100)
    assert isnan(read_record(item.path, sampling_rate=500).age) is False
