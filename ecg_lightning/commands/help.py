"""`VERB --help`: the composed schema — keys, types, defaults, and a line of what each is for — read without torch."""

import textwrap
from collections.abc import Sequence
from typing import Any

from ecg_lightning.config.compose import NAMED, compose
from ecg_lightning.config.schema import FIXED, SUPPLIED, signature_for
from ecg_lightning.config.signatures import COMPUTED, REQUIRED, exports
from ecg_lightning.config.written import as_written
from ecg_lightning.ranges import Seed, describe

SCALARS_HELP = {
    "seed": (describe(Seed), "of weights, order, cuts and augmentation"),
    "run_dir": ("text, or null", "the run's folder; runs/<experiment>/<time> by default"),
    "checkpoint_path": ("text, or null", "go on with this run from its last.ckpt; `auto` goes on if there is one"),
}


def show(verb: str, text: str, arguments: Sequence[str]) -> None:
    """Prints the help of one verb; of a configured verb with the values of the configuration that is given."""
    print(f"python -m ecg_lightning {verb}: {text}\n")
    if verb in ("fit", "validate", "test", "prepare"):
        if verb == "prepare":
            print(DOWNLOAD)
        print("Values in [brackets] are those of this configuration; the others are the constructors' defaults.\n")
        print(schema_text(arguments))
    else:
        print(USAGE[verb])


DOWNLOAD = """  --download          fetch the archive into data.root first, if it is public; goes on where it stopped
  --include PATTERNS  with --download: only these files; paths below the root or names of folders, joined by commas
  --exclude PATTERNS  with --download: not these
  --base-url URL      with --download: another address of the same archive
  --verify            compare every file of the packed store with its hash
"""
USAGE = {
    "predict": """usage: predict CHECKPOINT FILES_OR_FOLDERS… --output predictions.csv [options]

  CHECKPOINT          a published name, a .safetensors or .ckpt file, or a URL
  FILES_OR_FOLDERS    recordings of any format: WFDB (.hea/.dat/.mat), MATLAB, HDF5, NPZ/NPY, CSV
  --output FILE       the table: record, one probability a term, and the terms over their thresholds
  --rate HZ           sampling rate of files that do not say it
  --unit UNIT         V, mV, uV or steps a millivolt, for files that do not say it
  --leads NAMES       lead names of the rows of files that do not say them, joined by commas
  --batch-size N      recordings at once (32)
  --model CLASS       a network class of your own, my_package.my_module.MyModule, that the checkpoint may name
  --calibrated        probabilities calibrated on the validation folds (thresholds do not change their meaning)
""",
    "publish": """usage: publish RUN NAME [checkpoints_dir=URL]

  RUN     a run's folder (its best checkpoint is taken), or one .ckpt file
  NAME    never overwritten once it is there
""",
    "fetch": "usage: fetch NAME [FOLDER] [checkpoints_dir=URL]\n",
    "checkpoints": "usage: checkpoints [NAME] [checkpoints_dir=URL]\n",
    "models": "usage: models [NAME]\n",
    "transfer": """usage: transfer --study FILE [key=value]…
       transfer --large FILE --small FILE [--tune FILE] [--sizes [50,100,all]] [--seeds [3]] [key=value]…

  --study FILE          a file of the keys below (experiments/demo/study.yaml is one); paths in it may be relative to it
  --large FILE          configuration of the training on the large archive, or a checkpoint of it
  --small FILE          configuration of the training on the small archive, the best recipe for it alone
  --tune FILE           on top of the small one's where training starts from the large archive's network
  --both true           also train on both archives at once
  --sizes LIST          numbers of the small archive's training recordings; `all` for every one
  --seeds LIST          how many subsets and initialisations: one number for all sizes, or one number for each size
  --epochs LIST         epochs of training from scratch: one number for all sizes, or one for each
  --tune-epochs LIST    epochs of fine-tuning, likewise
  --rates LIST          learning rates of training from scratch, likewise
  --tune-rates LIST     learning rates of fine-tuning, likewise
  --resamples N         resamples of the bootstrap (1000)
  --run-dir FOLDER      folder of the study; what is finished there is not done again, and several processes share the trainings
  key=value             for every training; large.key=value, small.key=value or both.key=value for some
""",
}


def schema_text(arguments: Sequence[str]) -> str:
    """The keys of the composed configuration, group by group."""
    values = as_written(compose(arguments))
    lines = []
    for key, (kind, text) in SCALARS_HELP.items():
        lines += _entry(key, kind, None, text, values)
    for group in (*NAMED, *FIXED):
        given = values.get(group) or {}
        signature = signature_for(group, given)
        lines += ["", f"{group}: {signature.name} — {signature.summary}"]
        if group in NAMED:
            choices = f"one of {', '.join(exports(NAMED[group]))}, or my_package.my_module.MyClass"
            lines += _entry("name", "text", REQUIRED, choices, given)
        for argument in signature.arguments.values():
            if argument.name not in SUPPLIED.get(group, ()):
                doc = argument.doc if group != "trainer" else argument.doc.partition(". ")[0]
                lines += _entry(argument.name, describe(argument.hint), argument.default, doc, given)
    return "\n".join(lines)


def _entry(key: str, kind: str, default: Any, text: str, given: dict[str, Any]) -> list[str]:
    if key in given:
        value = f"[{given[key]}]"
    else:
        value = {id(REQUIRED): "required", id(COMPUTED): "computed"}.get(id(default), str(default))
    head = f"  {key} = {value}  ({kind})"
    return [head, *textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)]
