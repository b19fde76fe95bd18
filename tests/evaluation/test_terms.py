"""What a network and the data call by one name: measured where it is the same, and said where it is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from ecg_lightning import checkpoints
from ecg_lightning.datamodules import PTBXLDataModule
from ecg_lightning.errors import UserError
from ecg_lightning.evaluation.evaluate import check_fits, other_meanings
from ecg_lightning.labels import LabelSpace


def test_a_name_that_means_something_else_is_said() -> None:
    card = checkpoints.card_of("simulated-v1")
    space = LabelSpace.load(["AMI=ASMI+AMI", "AFIB", "LVH|VH", "WPW"])
    assert other_meanings(card, space) == [
        "AMI is any of ASMI, AMI in data.label_space, and AMI alone for the network.",
        "LVH is any of LVH, VH in data.label_space, and LVH alone for the network.",
    ]
    assert other_meanings(card, LabelSpace.load("paper7")) == []
    learnt = replace(card, label_space="ptbxl_sub")
    assert other_meanings(learnt, LabelSpace.load("ptbxl_sub")) == []
    assert other_meanings(learnt, LabelSpace.load(["LMI"])) == []
    assert other_meanings(replace(card, label_space=["family:ITS OWN"]), space) == []  # no term of ours


def test_the_label_space_that_is_advised_means_what_the_datas_does(tmp_path: Path) -> None:
    card = checkpoints.card_of("simulated-v1")
    data = PTBXLDataModule(
        root=str(tmp_path), label_space="ptbxl_sub", band=[0.5, None], normalisation="none", val_folds=[], test_folds=[]
    )
    with pytest.raises(UserError) as refusal:
        check_fits(card, data)
    advised = str(refusal.value).partition("Set 'data.label_space=[")[2].partition("]'")[0].split(",")
    terms = dict(zip(data.space.terms, data.space.members, strict=True))
    space = LabelSpace.load(advised)
    assert {*space.terms} == {*terms} & {*card.terms}
    assert all(terms[term] == members for term, members in zip(space.terms, space.members, strict=True))
