import numpy as np
import pytest

from ecg_lightning.records import LEADS, RecordError, lead_name, standard_leads
from ecg_lightning.records.leads import agreed_leads

SIGNAL = np.arange(12.0)[:, None] + np.array([[0.0, 0.5, 1.0]])


@pytest.mark.parametrize(
    ("names", "lead"),
    [
        (
            (
                "AVR",
                "avr",
                "aVR",
                " aVR ",
                "lead aVR",
                "Lead_AVR",
                "MDC_ECG_LEAD_AVR",
                "EKG aVR",
                "ecg-avr",
                "Abl. aVR",
            ),
            "aVR",
        ),
        (("aV-R", "a VR", "aVR, augmented voltage, right", "Lead aVR (Goldberger)", "ch. aVR"), "aVR"),
        (("I", "i", "lead I", "DI", "ECG I", "Ableitung I", "EKG_Lead-I", "D1", "Lead I (Einthoven)", "Ⅰ"), "I"),
        (("III", "D3", "D III", "derivación III", "MDC_ECG_LEAD_III", "Lead III (Einthoven)", "Ⅲ", "'iii'"), "III"),
        (
            ("V1", "v1", "C1", "Lead V1", "V 1", "V_1", "V01", "V1-REF", "V1 (REF)", "ECG V1", "Ｖ１", "channel V1"),
            "V1",
        ),
        (("vx", "VY", "MLII", "RESP", "-aVR", "", "V7", "V3R", "Lead1", "- aVR", "X", "Y", "Z", "I-II", "I II"), ""),
        (("I_II", "V10", "V16", "V1-V2", "VR", "ch1", "1", "C7", "V1R", "aVRL", "V1 filtered", "CM5"), ""),
    ],
)
def test_spellings(names: tuple[str, ...], lead: str) -> None:
    assert {lead_name(name) for name in names} == {lead}


def test_any_order_comes_to_the_standard_order() -> None:
    order = np.random.default_rng(0).permutation(12)
    signal, flags = standard_leads(SIGNAL[order], [LEADS[i].lower() for i in order])
    np.testing.assert_array_equal(signal, SIGNAL)
    assert signal.dtype == np.float32 and flags == ()


@pytest.mark.parametrize("absent", ["I", "II", "III"])
def test_two_of_three_limb_leads_give_the_other_four(absent: str) -> None:
    """Einthoven and Goldberger by hand: I = 0.3 and II = 0.8 give III 0.5, aVR -0.55, aVL -0.1, aVF 0.65."""
    limb = {"I": 0.3, "II": 0.8, "III": 0.5}
    names = [lead for lead in limb if lead != absent] + list(LEADS[6:])
    values = np.array([[limb.get(name, 1.0)] for name in names])
    signal, flags = standard_leads(values, names)
    np.testing.assert_allclose(signal[:6, 0], [0.3, 0.8, 0.5, -0.55, -0.1, 0.65], atol=1e-6)
    assert flags == ("limb_leads_derived",)


def test_fifteen_leads_lose_the_frank_leads() -> None:
    signal, flags = standard_leads(np.concatenate([SIGNAL[:3], SIGNAL]), ["vx", "vy", "vz", *LEADS])
    np.testing.assert_array_equal(signal, SIGNAL)
    assert flags == ("extra_leads_dropped",)


def test_eleven_leads_keep_a_zero_in_place_of_the_missing_one() -> None:
    signal, flags = standard_leads(np.delete(SIGNAL, 8, axis=0), [lead for lead in LEADS if lead != "V3"])
    assert flags == ("missing:V3",)
    assert not signal[8].any()
    np.testing.assert_array_equal(np.delete(signal, 8, axis=0), np.delete(SIGNAL, 8, axis=0))


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("II", *LEADS[3:], "vx", "vy"), "missing limb leads"),
        ((*LEADS[:11], "aVR"), "ambiguous leads"),
        (LEADS[:11], "wrong number of leads"),
    ],
)
def test_refusals(names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        standard_leads(SIGNAL, names)
    assert caught.value.reason == reason


def test_as_many_unknown_names_as_leads_are_missing_are_refused() -> None:
    names = [*LEADS[:6], *(f"{lead} filtered" for lead in LEADS[6:])]
    with pytest.raises(RecordError) as caught:
        standard_leads(SIGNAL, names)
    assert caught.value.reason == "unknown lead names"
    assert "V1 filtered, V2 filtered" in str(caught.value) and "V1, V2, V3, V4, V5, V6 are missing" in str(caught.value)
    assert agreed_leads(names, LEADS) == LEADS  # a user may say which they are
    np.testing.assert_array_equal(standard_leads(SIGNAL, agreed_leads(names, LEADS))[0], SIGNAL)


def test_names_of_other_leads_are_no_names_of_the_missing() -> None:
    """A 12-lead recorder with V7 to V9 for V1 to V3: these stay missing, and nothing is renamed."""
    names = [*LEADS[:6], "V7", "V8", "V3R", *LEADS[9:]]
    signal, flags = standard_leads(SIGNAL, names)
    assert flags == ("missing:V1", "missing:V2", "missing:V3", "extra_leads_dropped")
    assert not signal[6:9].any()
    for name in ("V7", "V3R", "X", "-V1", "RESP"):
        with pytest.raises(RecordError, match="contradictory leads"):
            agreed_leads([*LEADS[:6], name, *LEADS[7:]], LEADS)


def test_one_marker_beside_a_holter_of_three_leads_is_dropped() -> None:
    _, flags = standard_leads(SIGNAL[:4], ["I", "II", "V5", "button"])
    assert flags == ("limb_leads_derived", *(f"missing:V{i}" for i in (1, 2, 3, 4, 6)), "extra_leads_dropped")


def test_fewer_limb_leads_are_enough_where_that_is_allowed_and_nothing_is_derived_from_one() -> None:
    signal, flags = standard_leads(SIGNAL[:2], ["aVF", "I"], incomplete=True)
    np.testing.assert_array_equal(signal[0], SIGNAL[1])
    np.testing.assert_array_equal(signal[5], SIGNAL[0])
    assert not signal[[1, 2, 3, 4, *range(6, 12)]].any()
    assert flags == tuple(f"missing:{lead}" for lead in LEADS if lead not in ("I", "aVF"))
    complete = standard_leads(SIGNAL[[0, 1, 7]], ["I", "II", "V2"])
    allowed = standard_leads(SIGNAL[[0, 1, 7]], ["I", "II", "V2"], incomplete=True)
    np.testing.assert_array_equal(allowed[0], complete[0])
    assert allowed[1] == complete[1] == ("limb_leads_derived", *(f"missing:V{i}" for i in (1, 3, 4, 5, 6)))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["I", "ch2"], "unknown lead names: ch2; and II, III, aVR"),  # ch2 could be any of them
        (["ch1", "ch2"], "missing limb leads"),
        (["VX", "RESP"], "missing limb leads"),
    ],
)
def test_a_lead_that_could_be_a_missing_one_is_refused_there_too(names: list[str], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        standard_leads(SIGNAL[:2], names, incomplete=True)
    assert standard_leads(SIGNAL[:2], ["I", "RESP"], incomplete=True)[1][-1] == "extra_leads_dropped"
