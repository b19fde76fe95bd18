"""`VERB --help`: keys, types, defaults and purposes of the composed configuration, read without importing torch."""

import textwrap
from collections.abc import Sequence
from typing import Any

from ecg_lightning.config.compose import NAMED, compose
from ecg_lightning.config.schema import FIXED, SUPPLIED, signature_for
from ecg_lightning.config.signatures import COMPUTED, REQUIRED, exports
from ecg_lightning.config.written import as_written
from ecg_lightning.ranges import Seed, describe

SCALARS_HELP = {
    "seed": (describe(Seed), "seed of the weights, the order, the cuts and the augmentation"),
    "run_dir": ("text, or null", "the run's folder; runs/<experiment>/<time> by default"),
    "checkpoint_path": (
        "text, or null",
        "fit: continue the run of this last.ckpt, `auto`: if the run has one; validate and test: the checkpoint to measure",
    ),
}


def show(verb: str, text: str, arguments: Sequence[str]) -> None:
    """Prints the help of one verb; that of a configured verb shows the values of the configuration in the arguments."""
    print(f"python -m ecg_lightning {verb}: {text}\n")
    if verb in ("fit", "validate", "test", "prepare"):
        if verb == "prepare":
            print(DOWNLOAD)
        print("Values in [brackets] are those of this configuration; the others are the constructors' defaults.\n")
        print(schema_text(arguments))
    else:
        print(USAGE[verb])


DOWNLOAD = """  --json              print what is in the store as JSON
  --download          first fetch the archive into data.root, if it is public; a stopped download goes on where it stopped
  --include PATTERNS  with --download: only these files; paths below the root or names of folders, joined by commas
  --exclude PATTERNS  with --download: all files but these
  --base-url URL      with --download: another address of the same archive
  --verify            compare every file of the packed store with its hash
"""
USAGE = {
    "report": """usage: report RUN [report.ids=true] [report.ecgs=N] [data.root=FOLDER]
       report RUN RUN… [--output comparison.html]

  RUN                 the folder of a run that `test` has measured; its page is report/index.html in it
  RUN RUN…            a page of paired differences to the first run, learning curves, and what differs in the configurations;
                      runs that differ in nothing but their seed are one arm, and their mean is compared
  --output FILE       the page of a comparison (comparison.html)
  report.ids=true     name the recordings on the page by their record ids
  report.ecgs=N       ECGs that are drawn, those on which the network was most confidently wrong (12)
  data.root=FOLDER    where the recordings are, if that has changed since the training
""",
    "show": """usage: show FILES_OR_FOLDERS… [options]

  FILES_OR_FOLDERS    recordings of any format, as `predict` reads them
  --output PATH       the picture (.png, .pdf or .svg), or a folder for the pictures of several recordings; NAME.png in the
                      working folder by default
  --format FORMAT     png, pdf or svg
  --start SECOND      first second that is drawn (0)
  --gain MM           millimetres of a millivolt, in place of 10, or of 5 or 2.5 where a recording is too large for that
  --ids               write the recording's id above the ECG; no name and no id is drawn without it
  --overwrite         replace a picture that exists already
  --rate HZ, --unit UNIT, --leads NAMES: as of `predict`

The paper is the standard one: 25 mm/s, 10 mm/mV. Printed at 100 %, one millimetre of it is one millimetre.
""",
    "predict": """usage: predict CHECKPOINT FILES_OR_FOLDERS… --output predictions.csv [options]

  CHECKPOINT          a published name, an alias, a run's folder, a .safetensors or .ckpt file, a URL, or another project's
                      family:FILE
  FILES_OR_FOLDERS    recordings of any format: WFDB, DICOM, MUSE, CardioSoft, Philips, HL7 aECG, SCP-ECG, ISHNE, EDF, MFER,
                      MATLAB, HDF5, NPZ/NPY, CSV
  --output FILE       the table: record, one probability for each term, and the terms over their thresholds
  --rate HZ           sampling rate of the files that do not give one
  --unit UNIT         V, mV, uV, or a number of ADC units per millivolt, for the files that do not give a unit
  --leads NAMES       lead names of the rows, joined by commas, for the files that do not give them
  --batch-size N      number of recordings that the network gets at once (32)
  --model CLASS       a network class of your own, my_package.my_module.MyModule, that the checkpoint may name
  --allow-missing-leads  predict recordings that lack leads which the network sees, although it was not trained for them
  --calibrated        write probabilities that are calibrated on the validation folds; the positive terms stay the same
  --plot FOLDER       also draw a page for each recording: the ECG on paper, shaded where it speaks for a term, and the
                      probabilities with their thresholds; a page of the same name is replaced
  --plot-format FORMAT  png (the default), pdf or svg
  --ids               write the recording's id on its page
""",
    "features": """usage: features CHECKPOINT FILES_OR_FOLDERS… --output features.parquet [options]
       features CHECKPOINT --config FILE data.root=FOLDER… --output features.parquet [options]

  CHECKPOINT          a published name, a .safetensors or .ckpt file, or a URL
  FILES_OR_FOLDERS    recordings of any format, as `predict` reads them
  --config, data.…    instead of files: a source, as `prepare` reads it, for example --config data/ptbxl data.root=data/ptbxl
  --output FILE       a Parquet table: record_id, and a column for each feature (feature_000 …), float32
  --rate HZ, --unit UNIT, --leads NAMES, --allow-missing-leads, --model CLASS: as of `predict`
  --batch-size N      number of recordings that the network gets at once (32)
""",
    "export": """usage: export CHECKPOINT [--format onnx] [--output FILE] [options]

  CHECKPOINT        a published name, a .safetensors or .ckpt file, a URL, or another project's family:FILE
  --format FORMAT   onnx (the default), or torch for a program of torch.export
  --output FILE     the file (.onnx or .pt2); NAME.onnx or NAME.pt2 in the working folder by default
  --unit UNIT       of the input: uV, int16 microvolts (the default), or mV, float32 millivolts
  --model CLASS     a network class of your own, my_package.my_module.MyModule, that the checkpoint may name
  --overwrite       replace a file that exists already

In: recordings (batch, samples, 12) at the network's rate in the order I II III aVR aVL aVF V1-V6, and (batch,) the samples of
each. Out: calibrated probabilities (batch, terms). Terms, thresholds and the contract are in the file's metadata.
""",
    "serve": """usage: serve CHECKPOINT [--port 8000] [options]

  CHECKPOINT           a published name, a .safetensors or .ckpt file, a URL, or another project's family:FILE
  --port PORT          where the service listens (8000); 0 takes a free port
  --host HOST          127.0.0.1 by default, which this machine alone reaches; any other one needs a token
  --token-file FILE    a text file with the token of all requests; or set the variable ECG_LIGHTNING_TOKEN
  --most-megabytes N   of one upload (32)
  --allow-missing-leads, --model CLASS: as of `predict`

The page is at /, the same as JSON is POST /predict, and its description for programs is /openapi.json.
""",
    "publish": """usage: publish RUN NAME [--licence TEXT] [--alias NAME@WORD] [checkpoints_dir=URL]

  RUN               the folder of a run, whose best checkpoint is published, one .ckpt file, another project's family:FILE, or
                    a checkpoint that is published elsewhere (an address, or its name in $ECG_CHECKPOINTS)
  NAME              a new name; a published name is never overwritten
  --licence TEXT    licence of the weights, for the card and the Hub, for example cc-by-4.0
  --alias NAME@WORD an alias that names this checkpoint from now on
  checkpoints_dir   a folder, s3://bucket/team, gs://bucket/team, sftp://user@host/path, hf://owner (a repository for each
                    network) or hf://owner/repository; $ECG_CHECKPOINTS or ./checkpoints by default

Beside the file there is a page for people, NAME.md; in a repository of the Hub for one network, README.md.
Where the run was logged to W&B with logger.artifacts=true, the checkpoint is an artifact of the run there, too.
""",
    "alias": """usage: alias [checkpoints_dir=URL] [--json]                      lists the aliases of a place
       alias NAME@WORD [checkpoints_dir=URL] [--json]            shows the history of one
       alias NAME@WORD CHECKPOINT [checkpoints_dir=URL]          lets it name a published checkpoint from now on
       alias NAME@WORD --remove [checkpoints_dir=URL]            takes it away; its history stays

An alias, for example ptbxl-resnet1d@best, may stand wherever a published name may.
""",
    "verify": """usage: verify CHECKPOINT [--model CLASS] [checkpoints_dir=URL]

  CHECKPOINT      a published name, a .safetensors or .ckpt file, a URL, or another project's family:FILE
  --model CLASS   a network class of your own, my_package.my_module.MyModule, that the checkpoint may name
""",
    "fetch": """usage: fetch NAME [FOLDER] [checkpoints_dir=URL]

  NAME      a published name, an alias, an address (s3://, gs://, sftp://, hf://, https://), or
            wandb:ENTITY/PROJECT/ARTIFACT:ALIAS
  FOLDER    where the copy goes (the folder that you are in)

What was read from a server once is kept in ~/.cache/ecg_lightning ($ECG_CACHE), and is used where the server does not answer.
ECG_OFFLINE=1 asks no server at all.
""",
    "checkpoints": """usage: checkpoints [checkpoints_dir=URL] [--json]             lists what is published
       checkpoints NAME [checkpoints_dir=URL]                shows the card of one, as JSON
       checkpoints NAME --page [checkpoints_dir=URL]         shows its page for people
       checkpoints NAME --lineage [checkpoints_dir=URL] [--json]
                                                             draws its ancestors, and what changed from each to the next
""",
    "models": """usage: models [--json]
       models NAME [--json]
""",
    "transfer": """usage: transfer --study FILE [key=value]…
       transfer --large FILE --small FILE [--tune FILE] [--sizes [50,100,all]] [--seeds [3]] [key=value]…

  --study FILE          a file with the keys below, for example experiments/demo/study.yaml; its paths may be relative to it
  --large FILE          configuration of the training on the large archive, or a checkpoint of such a training
  --small FILE          configuration of the training on the small archive, with the best recipe for this archive alone
  --tune FILE           configuration on top of the small one, for trainings that start from the large archive's network
  --both true           also train on both archives at once
  --sizes LIST          numbers of training recordings of the small archive; `all` for every recording
  --seeds LIST          numbers of subsets and initialisations: one number for all sizes, or one number for each size
  --epochs LIST         epochs of training from scratch: one number for all sizes, or one number for each size
  --tune-epochs LIST    epochs of fine-tuning: one number for all sizes, or one number for each size
  --rates LIST          learning rates of training from scratch: one for all sizes, or one for each size
  --tune-rates LIST     learning rates of fine-tuning: one for all sizes, or one for each size
  --resamples N         resamples of the bootstrap (1000)
  --run-dir FOLDER      folder of the study; finished trainings in it are kept, and several processes may share the work
  key=value             for every training; large.key=value, small.key=value or both.key=value for some trainings
""",
}


def schema_text(arguments: Sequence[str]) -> str:
    """Returns the keys of the composed configuration, group by group."""
    values = as_written(compose(arguments))
    lines = []
    for key, (kind, text) in SCALARS_HELP.items():
        lines += _entry(key, kind, None, text, values)
    for group in (*NAMED, *FIXED):
        group_values = values.get(group) or {}
        signature = signature_for(group, group_values)
        lines += ["", f"{group}: {signature.name} — {signature.summary}"]
        if group in NAMED:
            choices = f"one of {', '.join(exports(NAMED[group]))}, or my_package.my_module.MyClass"
            lines += _entry("name", "text", REQUIRED, choices, group_values)
        for argument in signature.arguments.values():
            if argument.name not in SUPPLIED.get(group, ()):
                doc = argument.doc if group != "trainer" else argument.doc.partition(". ")[0]
                lines += _entry(argument.name, describe(argument.hint), argument.default, doc, group_values)
    return "\n".join(lines)


def _entry(key: str, kind: str, default: Any, text: str, values: dict[str, Any]) -> list[str]:
    if key in values:
        value = f"[{values[key]}]"
    else:
        value = {id(REQUIRED): "required", id(COMPUTED): "computed"}.get(id(default), str(default))
    head = f"  {key} = {value}  ({kind})"
    return [head, *textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)]
