"""`models`: lists the networks that can be trained."""

from collections.abc import Sequence

from ecg_lightning.commands.words import split_words
from ecg_lightning.config.compose import NAMED
from ecg_lightning.config.signatures import exports, signature_of
from ecg_lightning.ranges import describe


def models(arguments: Sequence[str]) -> int:
    """Prints the networks that `model.name` may name, with their arguments."""
    split_words(arguments, "models", 0, 0)
    for name, module in exports(NAMED["model"]).items():
        signature = signature_of(module, name)
        print(f"{name}: {signature.summary}")
        for argument in signature.arguments.values():
            if argument.name != "terms":
                print(f"  {argument.name} = {argument.default}  ({describe(argument.hint)})")
    return 0
