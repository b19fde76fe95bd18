"""`export CHECKPOINT`: a network with its preprocessing as a file for other programs."""

from collections.abc import Sequence
from pathlib import Path

from ecg_lightning.commands.words import Parser
from ecg_lightning.errors import UserError, needs
from ecg_lightning.files import write_whole


def export(arguments: Sequence[str]) -> int:
    """Writes the file, and prints what goes in and what comes out."""
    parser = Parser(prog="export", add_help=False)
    parser.add_argument("checkpoint")
    parser.add_argument("--format", choices=("onnx", "torch"), default="onnx")
    parser.add_argument("--output")
    parser.add_argument("--unit", choices=("uV", "mV"), default="uV")
    parser.add_argument("--model")
    parser.add_argument("--overwrite", action="store_true")
    options = parser.read(arguments)
    if options.format == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            needs(package, "onnx", "export --format onnx")
    suffix = {"onnx": ".onnx", "torch": ".pt2"}[options.format]
    output = Path(options.output) if options.output else Path(f"{_stem(options.checkpoint)}{suffix}")
    if output.is_dir():
        raise UserError(
            f"export: --output {output} is a folder. Name a file in it, for example {output / f'network{suffix}'}."
        )
    if output.suffix != suffix:
        raise UserError(f"export: the name {output} must end with {suffix} for --format {options.format}.")
    if output.exists() and not options.overwrite:
        raise UserError(f"{output} exists already. Choose another place by --output, or replace it by --overwrite.")
    from ecg_lightning.evaluation.predictor import Predictor
    from ecg_lightning.export.write import export as content_of

    predictor = Predictor(options.checkpoint, device="cpu", trusted=options.model)
    predictor.check_terms()
    content = content_of(predictor, options.format, options.unit == "mV")
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, content)
    kind = "float32 millivolts" if options.unit == "mV" else "int16 microvolts"
    print(f"{output}: {len(content) / 1e6:.1f} MB; its outputs equal ours")
    print(f"  in    signals (batch, samples, 12) {kind} at {predictor.sampling_rate} Hz; lengths (batch,) int64")
    if predictor.metadata:
        print(
            f"        metadata (batch, {len(predictor.metadata)}) float32: {', '.join(predictor.metadata)}; NaN where unknown"
        )
    print(f"  out   probabilities (batch, {len(predictor.terms)}): {', '.join(predictor.terms)}")
    return 0


def _stem(checkpoint: str) -> str:
    """Returns the last part of a checkpoint's name, without its suffix."""
    last = checkpoint.rstrip("/").rpartition("/")[2].rpartition(":")[2].partition("?")[0].partition(",")[0]
    return last.removesuffix(".safetensors").removesuffix(".ckpt") or "network"
