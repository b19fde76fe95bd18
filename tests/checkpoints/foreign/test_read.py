"""`family:FILE` as a checkpoint: predictions of the reference, a whole card, and refusals that name what is wrong."""

import os
import pickle
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import omegaconf
import pytest
import torch
from scipy.signal import butter, filtfilt, iirnotch, medfilt
from torch import Tensor

from checkpoints.foreign import test_ecg_cpc, test_ecgfounder, test_merl
from ecg_lightning import checkpoints, load
from ecg_lightning.checkpoints.foreign.families import FAMILIES
from ecg_lightning.checkpoints.foreign.names import NAMES
from ecg_lightning.config.compose import as_dict, compose
from ecg_lightning.config.schema import build
from ecg_lightning.errors import UserError
from ecg_lightning.records import Record
from ecglib_reference import ecglib_networks


def ecglib_file(folder: Path, term: str = "AFIB", network: str = "resnet1d18") -> tuple[Path, torch.nn.Module]:
    """One of EcgLib's own networks, and the file of it."""
    kind, depth = network.split("1d")
    builder = network if kind == "resnet" else f"densenet{depth}_1d"
    reference = getattr(ecglib_networks()[f"{kind}1d"], builder)(input_channels=12, num_classes=1).eval()
    path = folder / f"12_leads_{network}_{term}.pt"
    torch.save(reference.state_dict(), path)
    return path, reference


def merl_file(folder: Path, change: Callable[[dict[str, Any]], Any] | None = None) -> Path:
    """A file as MERL's, with a change of its tensors."""
    tensors = {name: _float(tensor) for name, tensor in test_merl.state().items()}
    path = folder / "res18_best_encoder.pth"
    torch.save(change(tensors) if change else tensors, path)
    return path


def _float(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    """(12, 5000) a random walk in millivolts with whole microvolts, as a store has them."""
    return np.random.default_rng(0).normal(0, 20, (12, 5000)).cumsum(1).round() / 1000


@pytest.fixture(scope="module")
def ecgfounder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ecgfounder") / "12_lead_ECGFounder.pth"
    tensors = {name: _float(tensor) for name, tensor in test_ecgfounder.state().items()}
    torch.save({"epoch": 3, "state_dict": tensors, "best": np.float64(0.9)}, path)
    return path


def test_files_of_ecglib_predict_a_table_side_by_side(tmp_path: Path, signal: np.ndarray) -> None:
    torch.manual_seed(0)
    files, references = zip(
        ecglib_file(tmp_path, "PVC", "densenet1d121"), ecglib_file(tmp_path, "AFIB", "resnet1d18"), strict=True
    )
    x = (signal - signal.mean(1, keepdims=True)) / signal.std(1, keepdims=True)
    with torch.no_grad():
        expected = [float(network(torch.tensor(x[None]).float()).sigmoid()) for network in references]
    table = load(f"ecglib:{files[0]},{files[1]}").predict(signal, 500)
    assert list(table) == ["PVC", "AFIB"]
    np.testing.assert_allclose(list(table.values()), expected, atol=1e-5)
    with pytest.raises(UserError, match=r"names 2 files\. Only `predict` takes several"):
        checkpoints.read(f"ecglib:{files[0]},{files[1]}")


def test_a_network_of_ecglib_is_its_reference_in_double_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path, reference = ecglib_file(tmp_path)
    checkpoint = checkpoints.read(f"ecglib:{path}")
    card = checkpoint.card
    assert (card.terms, card.archives, card.family, card.seen) == (["AFIB"], ["tis"], "ecglib", 0)
    assert "Apache-2.0" in card.licence and "2305.18592" in card.citation and not card.ancestry_unknown
    x = torch.randn(2, 12, 2500, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.network().double()(x), reference.double()(x), rtol=1e-10, atol=1e-10)


def test_ecgfounder_sees_what_its_authors_feed_it(ecgfounder: Path, signal: np.ndarray) -> None:
    predictor = load(f"ecgfounder:{ecgfounder}")
    assert len(predictor.terms) == 150 and predictor.thresholds.tolist() == [0.5] * 150
    y = filtfilt(*iirnotch(50, 30, 500), signal)
    y = filtfilt(*butter(4, [0.67, 40], "bandpass", fs=500), y)
    y = y - [medfilt(lead, 201) for lead in y]
    y = (y - y.mean()) / y.std()
    tensors = test_ecgfounder.state()
    expected = test_ecgfounder.formula(tensors, torch.tensor(y[None])).sigmoid()[0]
    np.testing.assert_allclose(list(predictor.predict(signal, 500).values()), expected, atol=1e-3)


def test_encoders_have_no_terms_to_predict(tmp_path: Path) -> None:
    for name in (f"merl:{merl_file(tmp_path)}", f"ecg-cpc:{cpc_file(tmp_path)}"):
        assert checkpoints.read(name).card.decision_thresholds.tolist() == [pytest.approx(np.nan, nan_ok=True)]
        encoder = load(name)
        rate = int(encoder.sampling_rate)
        record = Record(np.random.default_rng(0).normal(0, 0.3, (12, 10 * rate)).astype(np.float32), rate)
        features = encoder.features([record])
        assert features.shape == (1, encoder.network.feature_size) and np.isfinite(features).all()
        with pytest.raises(UserError, match="has learnt none of its terms"):
            encoder.logits([record])


def cpc_file(folder: Path) -> Path:
    """A file as Lightning wrote ECG-CPC's, with the run's configuration beside the tensors."""
    settings = omegaconf.OmegaConf.create({"base": {"lr": 1e-3, "fs": 240.0, "normalize": False}, "data": ["a", None]})
    path = folder / "last_11597276.ckpt"
    tensors = {name: _float(tensor) for name, tensor in test_ecg_cpc.state().items()}
    torch.save({"state_dict": tensors, "hyper_parameters": settings, "epoch": 1}, path)
    return path


def test_ecg_cpc_is_read_beside_its_settings(tmp_path: Path) -> None:
    checkpoint = checkpoints.read(f"ecg-cpc:{cpc_file(tmp_path)}")
    assert (checkpoint.card.input.sampling_rate, checkpoint.card.input.seconds) == (240, 2.5)
    x = torch.randn(1, 12, 600, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = checkpoint.network().features(x)
        torch.testing.assert_close(checkpoint.network()(x)[:, 0], features.mean(1))


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_contract_is_that_of_the_card(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    file = {
        "ecglib": lambda: ecglib_file(tmp_path)[0], "merl": lambda: merl_file(tmp_path), "ecg-cpc": lambda: cpc_file(tmp_path),
        "ecgfounder": lambda: request.getfixturevalue("ecgfounder"),
    }[name]()  # fmt: skip
    card = checkpoints.card_of(f"{name}:{file}")
    words = ["--config", "default", "--config", "data/ptbxl", "--config", f"foreign/{name.replace('-', '_')}"]
    config = compose([*words, *(["--config", "model/resnet1d18"] if name == "ecglib" else [])])
    data = build("data", as_dict(config)["data"], seed=0)
    assert data.input_spec() == {
        "sampling_rate": card.input.sampling_rate, "seconds": card.input.seconds, "preprocess": card.input.preprocess,
    }  # fmt: skip
    ours = build("model", as_dict(config)["model"], outputs=len(card.terms))
    theirs = build("model", card.model, outputs=len(card.terms))
    assert str(ours) == str(theirs)
    assert set(NAMES) == set(FAMILIES)


# Refusals -------------------------------------------------------------------------------------------------------------


class Trap:
    """A pickle of it would make a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("caught",))


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda tensors: {key: value for key, value in tensors.items() if key != name}


ECG_FM = {"feature_extractor.conv_layers.0.0.weight": torch.zeros(2), "post_extract_proj.weight": torch.zeros(2)}
CHANGES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (without("layer3.1.bn2.bias"), r"does not have the tensors of MERL.*: it lacks layer3\.1\.bn2\.bias\.$"),
    (lambda tensors: tensors | {"extra": torch.zeros(1)}, r": it has the unexpected extra\.$"),
    (
        lambda tensors: tensors | {"layer1.0.conv1.weight": tensors["layer1.0.conv1.weight"][:, :32]},
        r"the tensor layer1\.0\.conv1\.weight that becomes stages\.0\.0\.body\.0\.weight has the shape \(64, 32, 3\), and the network's has \(64, 64, 3\)\.$",
    ),
    (
        lambda tensors: tensors | {"conv1.weight": tensors["conv1.weight"][:, :8]},
        r"the tensor conv1\.weight that becomes stem\.0\.weight has the shape \(64, 8, 7\), and the network's has \(64, 12, 7\)\.$",
    ),
    (lambda tensors: tensors | {"bn1.bias": tensors["bn1.bias"].long()}, r"tensor bn1\.bias that becomes stem\.1\.bias is of the type torch\.int64"),
    (lambda tensors: tensors | {"bn1.bias": 3.5}, r"something other than a whole tensor under the name bn1\.bias\.$"),
    (lambda tensors: tensors | {"bn1.bias": torch.zeros(1).expand(10**9)}, "something other than a whole tensor"),
    (lambda tensors: [*tensors.values()], r"holds no tensors by name\.$"),
    (lambda tensors: {"state_dict": tensors}, "something other than a whole tensor under the name state_dict"),
    (lambda tensors: Trap(), r"is a pickle that asks for (posix|os)\.mkdir, which is no tensor: it could run code"),
    (lambda tensors: tensors | {"note": Trap()}, "it could run code when it is loaded, and is not read"),
    (
        lambda tensors: test_ecg_cpc.state(8, 16),
        r"is a file of ECG-CPC, not of MERL: read it as ecg-cpc:.*res18_best_encoder\.pth\.$",
    ),
    (lambda tensors: ECG_FM, "is not a file of MERL. The weights of ECG-FM are not loaded.*PTB-XL among them"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_a_file_that_is_not_whole_is_refused_by_what_is_wrong(
    change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = merl_file(tmp_path, change)
    with pytest.raises(UserError, match=f"(?s){message}") as refusal:
        checkpoints.read(f"merl:{path}")
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)
    assert not Path("caught").exists()


@pytest.mark.parametrize("kept", [0, 100, 100_000, -1])
def test_a_file_that_was_cut_off_is_refused(kept: int, tmp_path: Path) -> None:
    path = merl_file(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"res18_best_encoder\.pth was cut off, or is no file that PyTorch wrote"):
        checkpoints.read(f"merl:{path}")


def test_a_bare_pickle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.pth").write_bytes(pickle.dumps(Trap(), protocol=2))
    for name in ("merl:a.pth", "ecgfounder:a.pth", "ecglib:a.pth", "ecg-cpc:a.pth"):
        with pytest.raises(UserError, match=r"a\.pth (is a pickle that asks for|was cut off, or is no file)"):
            checkpoints.read(name)
    assert not Path("caught").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("merl:", "'merl:' names no file: write merl:FILE"),
        ("ecglib:a.pt,", "names no file"),
        ("ecglib:a.pt,a.pt", "names a file twice"),
        ("merl:nowhere.pth", "nowhere.pth cannot be read: there is no such file"),
        (
            "ecg-fm:a.pt",
            "The weights of ECG-FM are not loaded.*Families that are read: ecglib, ecgfounder, merl, ecg-cpc",
        ),
        ("HuBERT-ECG:a.pt", r"CC BY-NC 4.0; trained on PTB-XL and nearly every other public archive"),
    ],
)
def test_a_name_without_a_usable_file_is_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        checkpoints.read(name)


def test_a_file_of_ecglib_needs_its_name_and_one_term_is_not_predicted_twice(tmp_path: Path) -> None:
    path, _ = ecglib_file(tmp_path)
    renamed = path.rename(tmp_path / "afib.pt")
    with pytest.raises(UserError, match=r"afib\.pt: The names of EcgLib's files say the network and the term"):
        checkpoints.read(f"ecglib:{renamed}")
    # as EcgLib itself stores it when it has downloaded it
    cached = renamed.rename(tmp_path / "12_leads_resnet1d18_AFIB_1_1_0.pt")
    assert checkpoints.read(f"ecglib:{cached}").terms == ["AFIB"]
    again, _ = ecglib_file(tmp_path)
    with pytest.raises(UserError, match="predicts AFIB, as another of these files does"):
        load(f"ecglib:{cached},{again}")


def test_an_entry_that_is_missing_is_named(tmp_path: Path) -> None:
    torch.save(test_ecgfounder.state(), path := tmp_path / "founder.pth")
    with pytest.raises(UserError, match="has no entry 'state_dict'"):
        checkpoints.read(f"ecgfounder:{path}")


def test_a_file_of_another_family_is_named_whatever_its_form(ecgfounder: Path, tmp_path: Path) -> None:
    files = {"ecgfounder": ecgfounder, "merl": merl_file(tmp_path), "ecg-cpc": cpc_file(tmp_path)}
    for family, file in files.items():
        for other in {*files, "ecglib"} - {family}:
            message = rf"is a file of {FAMILIES[family].title}, not of .*: read it as {family}:{file}\.$"
            with pytest.raises(UserError, match=message):
                checkpoints.read(f"{other}:{file}")


def test_a_changed_bit_among_the_numbers_is_found(tmp_path: Path) -> None:
    path = merl_file(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 64
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"res18_best_encoder\.pth was damaged: its part .*checksum.* Fetch it again"):
        checkpoints.read(f"merl:{path}")


def test_a_family_that_is_misspelt_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no family 'ecgfoundr'. Did you mean: 'ecgfounder'"):
        checkpoints.read(f"ecgfoundr:{tmp_path}/founder.pth")


def test_a_foreign_file_has_no_page_and_is_not_fetched(tmp_path: Path) -> None:
    name = f"merl:{merl_file(tmp_path)}"
    for use in (checkpoints.page_of, lambda name: checkpoints.fetch(name, tmp_path / "here")):
        with pytest.raises(UserError, match=f"Give it a name first: publish {name} NAME$"):
            use(name)


def test_a_foreign_file_without_its_family_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="by its names of tensors of MERL; read it as merl:FILE"):
        checkpoints.read(str(merl_file(tmp_path)))


@pytest.mark.skipif(find_spec("huggingface_hub") is not None, reason="the extra is installed")
def test_the_hub_needs_its_extra() -> None:
    with pytest.raises(UserError, match=r"Install it with: pip install 'ecg_lightning\[hf\]'"):
        checkpoints.read("ecgfounder:hf://PKUDigitalHealth/ECGFounder/12_lead_ECGFounder.pth")


# From the web ---------------------------------------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_read_from_a_web_server(tmp_path: Path, address: str) -> None:
    path, _ = ecglib_file(tmp_path, "PVC")
    url = f"{address}/{path.name}"
    checkpoint = checkpoints.read(f"ecglib:{url}?signature=secret")
    assert checkpoint.terms == ["PVC"] and "secret" not in checkpoint.name + checkpoint.title
    assert checkpoint.sha256 == checkpoints.read(f"ecglib:{path}").sha256
    with pytest.raises(UserError, match=r"12_leads_resnet1d18_AFIB\.pt"):
        checkpoints.read(f"ecglib:{address}/12_leads_resnet1d18_AFIB.pt")
