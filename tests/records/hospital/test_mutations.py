"""Damaged files: each is a recording or refused with a reason; none ends the job, and none hangs."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ecg_lightning.records import RecordError, read_record

FILES = {
    "ishne/derived_12lead_500hz.ecg": 300,
    "mfer/derived_12lead_big_endian.mwf": 300,
    "edf/derived_12lead_edfplus.edf": 300,
    "kardia/derived_single_lead_a.json": 200,
    "muse/muse_v9_example4.xml": 250,
    "hl7_aecg/mindray_r12_100hz.xml": 230,
    "scp/raw_8lead_1000hz_start0.scp": 200,
    "dicom/ge_mv360_488nv.dcm": 100,
    "philips/sierra_1_03_mrx.xml": 60,
    "cardiosoft/cardiosoft_v6_73.xml": 40,
    "scp/welchallyn_huffman_diff1_a.scp": 20,
}
"""Of each file so many mutations that all together are 2,000 and take some ten seconds; slow formats get fewer."""
HEADER = 1500  # bytes; half of the mutations are here, where sizes and kinds stand
REASON = re.compile(r"[a-z][a-zA-Z ]+: .+")


def mutation(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    size = min(len(data), HEADER) if random.random() < 0.5 else len(data)
    place = int(random.integers(size))
    match int(random.integers(6)):
        case 0:
            return data[:place]
        case 1:
            changed[place : place + int(random.integers(1, 2000))] = b""
        case 2:
            length = int(random.integers(1, 2000))
            changed[place : place + length] = bytes(min(length, len(data) - place))
        case 3:
            changed[place:place] = random.bytes(int(random.integers(1, 100)))
        case 4:
            for spot in random.integers(0, size, int(random.integers(1, 8))):
                changed[spot] ^= 1 << int(random.integers(8))
        case _:
            changed[place : place + 4] = random.choice([b"\xff" * 4, b"\x7f\xff\xff\xff", b"9999", b"-1-1"])
    return bytes(changed)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_recordings_or_refused(name: str, shared_data: Path, tmp_path: Path) -> None:
    original = shared_data / "hospital_formats" / name
    if not original.is_file():
        pytest.skip(f"no such file: {original}")
    data, random = original.read_bytes(), np.random.default_rng(len(name))
    file, outcomes = tmp_path / original.name, Counter[str]()
    for _ in range(FILES[name]):
        file.write_bytes(mutation(data, random))
        try:
            record = read_record(file, incomplete=True)
        except RecordError as error:
            assert REASON.match(str(error)), str(error)
            outcomes[error.reason] += 1
        else:
            assert np.isfinite(record.signal).all() and 30 <= record.sampling_rate <= 50_000
            outcomes["read"] += 1
    assert sum(FILES.values()) == 2000
    assert outcomes.total() == FILES[name] and len(outcomes) > 1  # some are read, others refused


@pytest.mark.parametrize("share", [0.99, 0.8, 0.6])
@pytest.mark.parametrize("name", FILES)
def test_a_file_without_its_end_is_never_read_as_a_shorter_recording(
    name: str, share: float, shared_data: Path, tmp_path: Path
) -> None:
    original = shared_data / "hospital_formats" / name
    if not original.is_file():
        pytest.skip(f"no such file: {original}")
    data = original.read_bytes()
    file = tmp_path / original.name
    file.write_bytes(data[: int(share * len(data))])
    try:
        record = read_record(file, incomplete=True)
    except RecordError as error:
        assert error.reason in ("truncated signal", "unreadable file", "bad header")
    else:  # what is missing lies behind the recording
        assert record.signal.shape == read_record(original, incomplete=True).signal.shape


BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize("root", ["AnnotatedECG", "RestingECG", "restingecgdata", "CardiologyXML"])
@pytest.mark.parametrize("entity", [f'<!ENTITY a0 "ha">{BOMB}', '<!ENTITY a11 SYSTEM "file:///etc/passwd">'])
def test_entities_are_refused(root: str, entity: str, tmp_path: Path) -> None:
    file = tmp_path / "bomb.xml"
    file.write_text(f"<?xml version='1.0'?><!DOCTYPE {root} [{entity}]><{root}>&a11;</{root}>")
    with pytest.raises(RecordError, match="unreadable file: ") as caught:
        read_record(file)
    assert "root:" not in str(caught.value)


def test_a_compressed_dicom_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "small.dcm"
    file.write_bytes(bytes(128) + b"DICM" + b"\2\0\x10\0UI\x16\0" + b"1.2.840.10008.1.2.1.99" + bytes(100))
    with pytest.raises(RecordError, match=r"unsupported format: a compressed DICOM file \(deflated\)"):
        read_record(file)
