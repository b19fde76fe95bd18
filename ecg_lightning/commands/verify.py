"""`verify CHECKPOINT`: loads a checkpoint, ours or another project's, and tries it on fixed recordings."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecg_lightning import checkpoints
from ecg_lightning.checkpoints import Checkpoint
from ecg_lightning.commands.words import Parser, counted


def verify(arguments: Sequence[str]) -> int:
    """Prints what was checked of each network that the arguments name.

    Returns:
        0 where every tensor has its place in the network, all outputs are finite, and equal to those that were stored
        when it was published, if any were; else 1.
    """
    parser = Parser(prog="verify", add_help=False)
    parser.add_argument("checkpoint")
    parser.add_argument("--model")
    parser.add_argument("--checkpoints-dir", dest="folder")
    words = [f"--{word}" if word.startswith("checkpoints_dir=") else word for word in arguments]
    options = parser.read(words)
    members = checkpoints.read_all(options.checkpoint, options.folder)
    results = [_verify(member, options.model) for member in members]
    return 0 if all(results) else 1


def _verify(checkpoint: Checkpoint, trusted: str | None) -> bool:
    """Prints what was checked of one network; returns whether all is well."""
    from ecg_lightning.checkpoints import reference

    card = checkpoint.card
    network = checkpoint.network(trusted)  # refuses tensors that are missing, unexpected, or of another shape
    logits = reference.outputs(network, card)
    kind = str(card.model["name"]).removesuffix("Module")
    terms = "no terms, an encoder" if not _learnt(card.decision_thresholds) else counted(len(card.terms), "term")
    print(f"{checkpoint.name}: {kind}, {terms}, {card.input.sampling_rate} Hz, {card.input.seconds:g} s")
    if card.family is not None:
        print(f"  from      {card.family}; trained on {', '.join(card.archives)}; licence {card.licence}")
    used = f"  tensors   {len(checkpoint.state)} have their place in the network, and the network needs no other"
    print(used + (f"; {checkpoint.unused} more of the file belong to its training" if checkpoint.unused else ""))
    finite = bool(np.isfinite(logits).all())
    print(f"  outputs   {'all finite' if finite else 'NOT FINITE: the weights are damaged'}")
    equal = True
    if card.reference is None:
        print("  stored    no outputs to compare with; `publish` stores some")
    else:
        stored = np.array(card.reference)
        off = reference.difference(stored, logits) if finite and stored.shape == logits.shape else np.inf
        equal = bool(off <= reference.TOLERANCE)
        print(
            f"  stored    {'equal' if equal else 'NOT EQUAL'} to the outputs at publishing (off by {off:.1e} of the largest)"
        )
    print(f"  {'well' if finite and equal else 'FAILED'}")
    return finite and equal


def _learnt(thresholds: NDArray[np.float64]) -> bool:
    """Returns whether any term is learnt."""
    return bool((~np.isnan(thresholds)).any())
