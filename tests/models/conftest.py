"""Every network in every variant, for the tests that ask for it."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch

from ecg_lightning import models
from ecg_lightning.models.network import Network
from models.variants import VARIANTS


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small layers on busy cores: threads that wait for each other cost more than they save."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=VARIANTS)
def build(request: pytest.FixtureRequest) -> Callable[..., Network]:
    torch.manual_seed(0)
    name, options = VARIANTS[request.param]
    return partial(getattr(models, name), **options)
