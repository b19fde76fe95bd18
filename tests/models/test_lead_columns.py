"""The first layer of a network that starts from a checkpoint with other leads."""

from collections.abc import Callable

import torch

from ecg_lightning.checkpoints.weights import Inputs, take_weights
from ecg_lightning.models.network import Network
from ecg_lightning.records import LEADS
from models.variants import signal


def test_weights_that_read_the_leads_are_named(build: Callable[..., Network]) -> None:
    two, twelve = (build(leads=leads).state_dict() for leads in (2, 12))
    names = {name for name in twelve if two[name].shape != twelve[name].shape}
    assert names == {name for name in build().lead_weights if name in twelve}
    assert all(two[name].shape[1] == 2 and twelve[name].shape[1] == 12 for name in names)


def test_the_first_layer_goes_by_the_names_of_the_leads(build: Callable[..., Network]) -> None:
    """On the common leads, with silence in the others, the network computes what the checkpoint does."""
    twelve, two, back = (build(leads=leads, outputs=3).double().eval() for leads in (12, 2, 12))
    terms, pair = ["A", "B", "C"], ("V2", "I")
    state, seen = twelve.state_dict(), Inputs(LEADS)
    transfer = take_weights(two, terms, state, terms, inputs=Inputs(pair), state_inputs=seen)
    named = sum(name in state for name in twelve.lead_weights)
    assert str(transfer) == (
        f"{len(state) - named}/{len(state)} tensors; head: 3 of 3 terms kept; first layer: leads V2, I taken by name"
    )
    transfer = take_weights(back, terms, two.state_dict(), terms, inputs=seen, state_inputs=Inputs(pair))
    absent = "II, III, aVR, aVL, aVF, V1, V3, V4, V5, V6"
    assert transfer.notes == (f"first layer: leads I, V2 taken by name, and zero for {absent}",)
    x = torch.zeros(2, 12, 256).double()
    x[:, [LEADS.index(lead) for lead in pair]] = signal(2, 2).double()
    with torch.no_grad():
        expected = twelve(x)
        torch.testing.assert_close(two(signal(2, 2).double()), expected)
        torch.testing.assert_close(back(x), expected)
        torch.testing.assert_close(back(x + torch.eye(12)[2][:, None]), expected)  # III begins at zero


def test_without_a_common_lead_the_first_layer_stays_fresh(build: Callable[..., Network]) -> None:
    old, new = build(leads=1), build(leads=1)
    before = {name: tensor.clone() for name, tensor in new.state_dict().items()}
    transfer = take_weights(
        new, ["A"] * 7, old.state_dict(), ["A"] * 7, inputs=Inputs(["V1"]), state_inputs=Inputs(["I"])
    )
    assert transfer.notes == ("first layer fresh: the checkpoint saw I and no lead of this run",)
    assert all(torch.equal(new.state_dict()[name], before[name]) for name in new.lead_weights if name in before)
