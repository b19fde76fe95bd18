import numpy as np
import pytest

from ecg_lightning.records import LEADS, RecordError, lead_name, standard_leads

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
        (("I", "i", "lead I", "DI", "ECG I", "Ableitung I", "EKG_Lead-I"), "I"),
        (("V1", "v1", "C1", "Lead V1"), "V1"),
        (("vx", "VY", "MLII", "RESP", "-aVR", "", "V7", "V3R", "Lead1", "- aVR"), ""),
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
