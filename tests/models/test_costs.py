"""Costs and receptive fields by hand calculation."""

from functools import partial
from math import log2

from ecg_lightning.models import S4, LSTM1d, ResNet1d, Transformer1d
from ecg_lightning.models.costs import multiply_adds, receptive_field

BASIC = partial(ResNet1d, block="basic", widths=(4, 4, 4, 4), first_stride=1, pooling="mean")


def test_convolutions_by_hand() -> None:
    # 320 samples: stem to 160, maximum to 80, stages at 80, 40, 20 and 10; every stage but the first has a projection
    stages = sum(4 * 4 * 3 * 4 * time for time in (80, 40, 20, 10)) + sum(4 * 4 * time for time in (40, 20, 10))
    assert multiply_adds(partial(BASIC, leads=2, outputs=5), 320) == 2 * 4 * 3 * 160 + stages + 4 * 5


def test_recurrent_layers_by_hand() -> None:
    network = partial(LSTM1d, layers=2, width=16, bidirectional=True, hidden=None, pooling="mean", outputs=3)
    first, second = (2 * 4 * 16 * (size + 16) for size in (12, 32))
    assert multiply_adds(network, 100) == 100 * (first + second) + 32 * 3


def test_transforms_by_hand() -> None:
    build = partial(S4, width=4, layers=1, kernel="diagonal", bidirectional=False, outputs=3)
    # the recording, the kernel and the product: three real transforms of 2 · 64 numbers for each of 4 channels
    transforms = 3 * 4 * 1.25 * 128 * log2(128)
    linear = 64 * (12 * 4 + 4 * 8) + 4 * 3
    assert transforms + linear <= multiply_adds(build, 64) <= transforms + linear + 4 * 4 * 64 * 4


def test_receptive_fields_by_hand() -> None:
    # stem 3 and maximum 3, each halving; then four convolutions of 3 in each stage, the first of a later one at the
    # earlier one's step
    field = 1 + 2 + 2 * 2 + 4 * 2 * 4
    for step in (4, 8, 16):
        field += 2 * step + 3 * 2 * 2 * step
    assert receptive_field(BASIC()) == field
    assert receptive_field(ResNet1d(widths=(4, 4, 4, 4))) == 223  # 3 + 4 + 8 + 16 · 3 + 32 · 5 by its bottlenecks


def test_networks_that_see_the_whole_recording() -> None:
    small = (S4(width=4, layers=1), Transformer1d(width=12, layers=1), LSTM1d(width=4, layers=1))
    assert [receptive_field(network, 1024) for network in small] == [None] * 3
