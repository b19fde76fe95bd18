import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, multiprocessing

from ecg_lightning.metrics.epoch import OutputCollector


def test_windows_are_averaged_and_rows_sorted_by_record() -> None:
    metric = OutputCollector()
    metric.update(torch.tensor([[4.0, 0.0], [1.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, float("nan")]]), *rows(7, 2))
    metric.update(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, float("nan")]]), *rows(2, windows=[1]))
    outputs = metric.compute()
    assert outputs.records.tolist() == [2, 7]
    assert outputs.logits.tolist() == [[2.0, 3.0], [4.0, 0.0]]
    assert np.array_equal(outputs.targets, [[0.0, np.nan], [1.0, 0.0]], equal_nan=True)
    assert outputs.logits.dtype == outputs.targets.dtype == np.float64


def test_a_window_that_comes_twice_counts_once() -> None:
    metric = OutputCollector()
    logits = torch.tensor([[1.0], [5.0], [1.0], [1.0]])
    metric.update(logits, torch.ones(4, 1), *rows(0, 0, 0, 0, windows=[0, 1, 0, 0]))
    assert metric.compute().logits.tolist() == [[3.0]]


def test_half_precision_and_gradients_end_here() -> None:
    metric = OutputCollector()
    metric.update(torch.full((1, 1), 0.5, dtype=torch.bfloat16, requires_grad=True), torch.ones(1, 1), *rows(0))
    assert metric.compute().logits.tolist() == [[0.5]]


def test_reset_forgets() -> None:
    metric = OutputCollector()
    metric.update(torch.ones(1, 1), torch.ones(1, 1), *rows(3))
    metric.reset()
    metric.update(torch.zeros(1, 1), torch.ones(1, 1), *rows(4))
    assert metric.compute().records.tolist() == [4]
    assert not metric.state_dict()  # nothing of it enters a checkpoint


def test_shapes_that_do_not_fit_are_named() -> None:
    metric = OutputCollector()
    with pytest.raises(ValueError, match=r"logits have the shape \(2, 3\) and targets \(2, 2\)"):
        metric.update(torch.zeros(2, 3), torch.zeros(2, 2), *rows(0, 1))
    with pytest.raises(ValueError, match=r"both must be \(2,\), one index a row"):
        metric.update(torch.zeros(2, 3), torch.zeros(2, 3), *rows(0, 1, 2))


def test_two_processes_see_the_same_whole(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(collect_in_process, args=(port, tmp_path), nprocs=2)
    outputs_of_ranks = [np.load(tmp_path / f"{rank}.npz") for rank in (0, 1)]
    for outputs in outputs_of_ranks:
        assert outputs["records"].tolist() == [0, 1, 2, 3, 4]
        assert outputs["logits"].tolist() == [[0.0], [10.0], [20.5], [30.0], [40.0]]


def collect_in_process(rank: int, port: int, folder: Path) -> None:
    """Records 0 2 4 and 1 3 0, as a DistributedSampler pads five records; record 2 has a second window."""
    torch.distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    metric = OutputCollector()
    for record, window in [[(0, 0), (2, 0), (2, 1), (4, 0)], [(1, 0), (3, 0), (0, 0)]][rank]:
        metric.update(torch.tensor([[10.0 * record + window]]), torch.ones(1, 1), *rows(record, windows=[window]))
    outputs = metric.compute()
    np.savez(folder / f"{rank}.npz", logits=outputs.logits, records=outputs.records)
    torch.distributed.destroy_process_group()


def rows(*records: int, windows: list[int] | None = None) -> tuple[Tensor, Tensor]:
    return torch.tensor(records), torch.tensor(windows if windows else [0] * len(records))
