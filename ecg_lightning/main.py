"""The command line: one verb a task. Heavy imports wait until a verb needs them."""

import errno
import sys
from collections.abc import Callable, Sequence

from ecg_lightning import __version__
from ecg_lightning.errors import Stopped, UserError, printable, suggest
from ecg_lightning.streams import open_streams

VERBS = {
    "fit": "train a network, from scratch or from another run's weights",
    "validate": "measure a checkpoint on a source's validation folds",
    "test": "measure a checkpoint on a source's test folds",
    "show": "draw recordings of any format on ECG paper, and print what they are: show FILES…",
    "report": "write the page of a tested run, or a page that compares runs: report RUN RUN…",
    "predict": "apply a checkpoint to recordings of any format: predict NAME FILES… --output predictions.csv",
    "features": "write what a network's head sees of recordings: features NAME FILES_OR_SOURCE --output features.parquet",
    "export": "write a network with its preprocessing for other programs: export NAME --format onnx",
    "serve": "answer recordings in the browser and as JSON: serve NAME --port 8000",
    "prepare": "pack a source into a store, and print what is in it; with --download, fetch a public archive first",
    "publish": "give a run's best weights a name: publish RUN NAME",
    "verify": "load a checkpoint, try it, and compare it with what it was when it was published: verify NAME",
    "fetch": "copy a published checkpoint to a local folder: fetch NAME [FOLDER]",
    "checkpoints": "list the published checkpoints, or show one: checkpoints [NAME [--lineage]]",
    "alias": "let a name such as net@best move from one published checkpoint to another: alias [NAME@WORD [CHECKPOINT]]",
    "transfer": "pretrain on one archive, fine-tune on another, and measure the gain: transfer --large FILE --small FILE",
    "sweep": "search parameters: one file in W&B's format, on this machine or many: sweep FILE --workers 4",
    "models": "compare the networks; with a NAME, list the arguments of one",
}
HELP = f"""ecg_lightning {__version__}: pretrain on one archive of 12-lead ECGs, fine-tune on another.

usage: python -m ecg_lightning VERB [--config FILE]… [key=value]…

{{verbs}}

A configuration is composed from left to right: files (by path, or by name under conf/), then overrides such as
optim.lr=1e-3. `python -m ecg_lightning fit --help` lists every key. Without arguments `fit` runs conf/default.yaml.
"""


def main(arguments: Sequence[str]) -> int:
    """Runs one verb; returns the exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        width = max(map(len, VERBS))
        print(HELP.format(verbs="\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())))
        return 0
    if arguments[0] in ("-V", "--version", "version"):
        print(f"ecg_lightning {__version__}")
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        raise UserError(f"There is no verb '{verb}'. {suggest(verb, VERBS)}Verbs: {', '.join(VERBS)}.")
    if {"-h", "--help"} & {*rest} and verb != "sweep":  # sweep has a parser that prints its help
        from ecg_lightning.commands.help import show

        show(verb, VERBS[verb], [word for word in rest if word not in ("-h", "--help")])
        return 0
    try:
        return _command(verb)(rest)
    except Stopped as stopped:
        print(f"\n{stopped}", file=sys.stderr)
        return 130


def _command(verb: str) -> Callable[[Sequence[str]], int]:
    """Imports and returns the function of a verb."""
    from importlib import import_module

    command: Callable[[Sequence[str]], int] = getattr(import_module(f"ecg_lightning.commands.{verb}"), verb)
    return command


def run() -> None:
    """The program: a user's mistake is one message on stderr and status 2."""
    streams = open_streams()
    status = _status(sys.argv[1:])
    sys.stdout.flush()
    write_error = streams[0].write_error
    if write_error is not None:
        print(f"ecg_lightning: the output could not be printed completely: {write_error.strerror}.", file=sys.stderr)
    sys.stderr.flush()
    sys.exit(status or (2 if write_error else 0))


def _status(arguments: Sequence[str]) -> int:
    """Runs one verb; returns the exit status."""
    return guard(lambda: main(arguments))


def guard(work: Callable[[], int | None]) -> int:
    """Runs the work of a program; prints on stderr, as a sentence, what stops it.

    Returns:
        The exit status: that of the work, or 0; 2 after a user's mistake or an error of the machine, 130 where it was stopped.
    """
    try:
        return work() or 0
    except UserError as error:
        print(f"ecg_lightning: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"ecg_lightning: {stop}" if isinstance(stop, Stopped) else "ecg_lightning: stopped.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"ecg_lightning: {printable(_describe(error))}", file=sys.stderr)
        return 2


def _describe(error: OSError) -> str:
    """Returns what a disk, a network or a permission did not allow, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{error}. The disk is full; free some space and run the command again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error}. Choose a place where you may write, or change its permissions."
    return f"{error}. Correct that and run the command again."
