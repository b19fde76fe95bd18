"""The Hugging Face Hub as a place: a server that speaks its protocol, races, refusals, and networks in plain torch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import ModelCard

import ecg_lightning
import small
from checkpoints import networks
from checkpoints.hub_server import Hub, hub
from checkpoints.servers import free_port
from ecg_lightning import checkpoints
from ecg_lightning.checkpoints.exclusive import write_new
from ecg_lightning.errors import UserError
from ecg_lightning.models import DenseNet1d, ResNet1d

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the Hub's own package


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with hub() as state:
        yield state


@pytest.fixture
def team(server: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The server without repositories, of which this process is a member."""
    server.repositories.clear()
    server.use(monkeypatch)
    return server


@pytest.fixture
def trained(tmp_path: Path) -> str:
    return str(networks.run(tmp_path / "run"))


def test_a_repository_for_each_network(
    team: Hub, trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checkpoints.published("hf://team") == []
    assert small.run("publish", [trained, "net-v1", "--licence", "cc-by-4.0", "checkpoints_dir=hf://team"]) == 0
    assert team.files("team/net-v1").keys() == {"model.safetensors", "README.md"}
    assert len(team.repositories["team/net-v1"].commits) == 2  # that of the creation, and one with both files
    assert team.repositories["team/net-v1"].private
    page = ModelCard(team.files("team/net-v1")["README.md"].decode())
    assert (page.data.license, page.data.library_name) == ("cc-by-4.0", "ecg_lightning")
    assert checkpoints.published("hf://team") == ["net-v1"]
    card = checkpoints.card_of("net-v1", "hf://team")
    assert card.licence == "cc-by-4.0"
    for name in ("hf://team/net-v1", "hf://team/net-v1/model.safetensors"):
        assert checkpoints.read(name).card == card
    assert checkpoints.fetch("net-v1", tmp_path / "here", "hf://team").name == "net-v1.safetensors"
    with pytest.raises(UserError, match="exists; what is published is never overwritten"):
        checkpoints.publish(trained, "net-v1", "hf://team")
    checkpoints.set_alias("net@best", "net-v1", "hf://team")
    assert checkpoints.read("net@best", "hf://team").card == card
    assert small.run("checkpoints", ["checkpoints_dir=hf://team"]) == 0
    assert "net@best" in capsys.readouterr().out


def test_several_networks_in_one_repository(team: Hub, trained: str) -> None:
    place = "hf://team/networks"
    assert checkpoints.published(place) == []
    for name in ("a-v1", "b-v1"):
        checkpoints.publish(trained, name, place)
    assert checkpoints.published(place) == ["a-v1", "b-v1"]
    assert team.files("team/networks").keys() == {f"{name}-v1.{end}" for name in "ab" for end in ("safetensors", "md")}
    assert checkpoints.read("b-v1", place).card.name == "b-v1"
    assert checkpoints.read("hf://team/networks/a-v1.safetensors").card.name == "a-v1"


def test_of_two_who_publish_one_name_one_wins_and_the_other_is_told(team: Hub) -> None:
    url = "hf://team/networks/net.safetensors"
    write_new("hf://team/networks/other.safetensors", b"0")
    team.before_commit = lambda: write_new(url, b"quick")
    with pytest.raises(FileExistsError):
        write_new(url, b"slow")
    assert team.files("team/networks")["net.safetensors"] == b"quick"
    # somebody else's other file at the same moment is no reason to fail
    team.before_commit = lambda: write_new("hf://team/networks/theirs.safetensors", b"theirs")
    write_new("hf://team/networks/mine.safetensors", b"mine")
    assert {"theirs.safetensors", "mine.safetensors"} <= team.files("team/networks").keys()


def test_an_upload_that_ends_before_its_commit_leaves_nothing(team: Hub, trained: str) -> None:
    def killed() -> None:
        raise ConnectionAbortedError

    team.before_commit = killed
    with pytest.raises(UserError):
        checkpoints.publish(trained, "net-v1", "hf://team")
    assert team.files("team/net-v1") == {}
    assert checkpoints.published("hf://team") == []
    checkpoints.publish(trained, "net-v1", "hf://team")
    assert checkpoints.published("hf://team") == ["net-v1"]


def test_who_may_not_and_a_hub_that_is_off(
    team: Hub, trained: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checkpoints.publish(trained, "net-v1", "hf://team")
    team.use(monkeypatch, token="hf_" + "b" * 34)
    with pytest.raises(UserError, match=r"cannot be used, access is refused: .*Log in with `hf auth login`"):
        checkpoints.publish(trained, "net-v2", "hf://team")
    with pytest.raises(UserError, match="there is no such file"):
        checkpoints.read("hf://team/net-v1")
    assert checkpoints.published("hf://team") == []
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match=r"hf://nobody/net/model.safetensors cannot be reached"):
        checkpoints.read("hf://nobody/net")


def test_what_was_read_once_works_offline(team: Hub, trained: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints.publish(trained, "kept-v1", "hf://team")
    card = checkpoints.read("hf://team/kept-v1").card
    monkeypatch.setenv("ECG_OFFLINE", "1")
    team.requests.clear()
    assert checkpoints.read("hf://team/kept-v1").card == card
    assert checkpoints.card_of("kept-v1", "hf://team") == card
    assert team.requests == []
    with pytest.raises(UserError, match=r"hf://team/never.* is not in the cache .* unset ECG_OFFLINE"):
        checkpoints.read("hf://team/never")


def test_a_plain_network_with_its_contract(team: Hub, trained: str) -> None:
    checkpoints.publish(trained, "net-v1", "hf://team")
    network = ResNet1d.from_pretrained("team/net-v1")
    contract = network.contract
    assert contract is not None
    assert isinstance(network, ResNet1d)
    assert not network.training
    assert (contract.terms, contract.leads, contract.sampling_rate, contract.seconds) == (
        ("AFIB", "PVC"),
        ("I", "II"),
        100,
        10,
    )
    expected = checkpoints.read("net-v1", "hf://team").network()
    x = torch.randn(3, 2, 1000)
    with torch.no_grad():
        logits = network(x)
        torch.testing.assert_close(logits, expected(x), rtol=0, atol=0)
    torch.testing.assert_close(
        contract.calibrated(logits), (logits * torch.tensor([1.0, 2.0]) - torch.tensor([0.0, 1.0])).sigmoid()
    )
    above = logits.sigmoid() >= torch.tensor([0.25, 0.5])
    assert contract.positive(logits) == [
        [t for t, yes in zip(contract.terms, row, strict=True) if yes] for row in above.tolist()
    ]
    with pytest.raises(UserError, match=r"holds a ResNet1d, not a DenseNet1d"):
        DenseNet1d.from_pretrained("team/net-v1")
    assert ResNet1d().contract is None


def test_a_revision_and_other_names(team: Hub, trained: str) -> None:
    checkpoints.publish(trained, "net-v1", "hf://team")
    first = team.repositories["team/net-v1"].commits[0][0]
    with pytest.raises(UserError, match="there is no such file"):
        ResNet1d.from_pretrained("team/net-v1", revision=first)
    second = team.repositories["team/net-v1"].commits[1][0]
    assert ResNet1d.from_pretrained("team/net-v1", revision=second).contract is not None
    assert isinstance(ecg_lightning.from_pretrained(trained), ResNet1d)  # a run's folder
    with pytest.raises(UserError, match=r"revision=x is for names on the Hub"):
        ResNet1d.from_pretrained(trained, revision="x")


def test_a_network_goes_back_to_the_hub(team: Hub, trained: str) -> None:
    checkpoints.publish(trained, "net-v1", "hf://team")
    network = ResNet1d.from_pretrained("team/net-v1")
    assert network.push_to_hub("team/copy") == "hf://team/copy/model.safetensors"
    copy = checkpoints.card_of("hf://team/copy")
    assert (copy.name, copy.thresholds, copy.parent) == ("copy", [0.25, 0.5], None)
    with torch.no_grad():
        network.head.weight.add_(1)
    network.push_to_hub("team/trained", licence="mit", notes=["Of a workshop."])
    child = checkpoints.read("hf://team/trained")
    card = child.card
    assert card.parent is not None
    assert (card.parent.name, card.ancestry_unknown, card.thresholds, card.metrics) == ("net-v1", True, [], {})
    assert card.notes[-1] == "Of a workshop."
    assert card.data.source == "unknown"
    torch.testing.assert_close(child.network().head.weight, network.head.weight)
    front = yaml.safe_load(team.files("team/trained")["README.md"].decode().split("---")[1])
    assert front["license"] == "mit"
    with pytest.raises(UserError, match="never overwritten"):
        network.push_to_hub("team/trained")
    with pytest.raises(UserError, match="has no contract"):
        ResNet1d().push_to_hub("team/none")
    with pytest.raises(UserError, match="is no name on the Hub"):
        network.push_to_hub("../../etc")
    network.reset_head(5)
    with pytest.raises(UserError, match="5 outputs, and its contract 2 terms"):
        network.push_to_hub("team/five")
