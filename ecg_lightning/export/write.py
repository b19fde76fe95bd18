"""Writes a network as ONNX or as a program of torch.export, after it was compared with our own outputs."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecg_lightning.errors import UserError, one_line
from ecg_lightning.evaluation.predictor import Predictor
from ecg_lightning.export.metadata import metadata_of
from ecg_lightning.export.network import Deployed, example_inputs

if TYPE_CHECKING:
    from torch.export import ExportedProgram

Format = Literal["onnx", "torch"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
INPUTS = ("signals", "lengths", "metadata")
OUTPUT = "probabilities"
TOLERANCE = 1e-4
"""Largest difference of a probability from our own."""
LARGEST_ONNX = 2_000_000_000
"""Bytes of one ONNX file; its format ends at 2 GiB."""


def export(predictor: Predictor, file_format: Format = "onnx", millivolts: bool = False) -> bytes:
    """Returns the content of an exported file; its outputs were compared with ours.

    Args:
        predictor: the network, on the processor.
        file_format: "onnx" or "torch".
        millivolts: whether the file takes float32 millivolts; int16 microvolts otherwise.

    Raises:
        UserError: where the network cannot be exported, or the file's outputs differ from ours.
    """
    module = Deployed(predictor, millivolts).eval()
    program = traced(module, example_inputs(predictor, millivolts))
    content = to_content(program, file_format, metadata_of(predictor, millivolts))
    check(content, file_format, module, predictor, millivolts)
    return content


def traced(module: Deployed, inputs: tuple[Tensor, ...]) -> "ExportedProgram":
    """Traces a network for any number of recordings of any length.

    Raises:
        UserError: where torch cannot export it.
    """
    batch, samples = (torch.export.Dim(name, min=1) for name in ("batch", "samples"))
    with torch.no_grad():
        module(*inputs)  # filters are designed here, with numbers in place of symbols, and kept
    try:
        with _quiet(), torch.no_grad():
            shapes = ({0: batch, 1: samples}, {0: batch}, {0: batch})[: len(inputs)]
            return torch.export.export(module, inputs, dynamic_shapes=shapes)
    except Exception as error:  # torch.export has exceptions of its own for each thing that it cannot do
        raise UserError(
            f"torch.export cannot export this network ({type(error).__name__}: {one_line(error, 200)}). A network of your own "
            "must not choose its layers by the values or the number of its inputs."
        ) from error


def to_content(program: "ExportedProgram", file_format: Format, metadata: Mapping[str, str]) -> bytes:
    """Returns the content of the file of a program.

    Args:
        program: as `traced` returns it.
        file_format: "onnx" or "torch".
        metadata: texts, by their names.

    Raises:
        UserError: where ONNX has no operator for a part of it, or the file would be too large.
    """
    if file_format == "torch":
        stream = io.BytesIO()
        with _quiet():
            torch.export.save(program, stream, extra_files=dict(metadata))
        return stream.getvalue()
    from ecg_lightning.export.recurrent import recurrent_layer

    try:
        with _quiet():
            names = list(INPUTS[: len(program.graph_signature.user_inputs)])
            exported = torch.onnx.export(
                program,
                (),
                dynamo=True,
                verbose=False,
                input_names=names,
                output_names=[OUTPUT],
                opset_version=20,
                custom_translation_table={torch.ops.aten.mkldnn_rnn_layer.default: recurrent_layer},
            )
    except Exception as error:
        raise UserError(
            f"ONNX has no form of this network ({type(error).__name__}: {one_line(error, 200)}). Export it by --format torch."
        ) from error
    assert exported is not None
    model = exported.model_proto
    for name, value in metadata.items():
        model.metadata_props.add(key=name, value=value)
    if model.ByteSize() > LARGEST_ONNX:
        raise UserError(
            f"The network has {model.ByteSize() / 1e9:.1f} GB, and an ONNX file holds 2. Export it by --format torch."
        )
    content: bytes = model.SerializeToString()
    return content


def open_file(content: bytes, file_format: Format) -> Callable[[Sequence[Tensor]], NDArray[np.float32]]:
    """Returns the function from inputs to probabilities that an exported file is, as another program would load it."""
    if file_format == "torch":
        with _quiet():
            module = torch.export.load(io.BytesIO(content)).module()

        def run_program(inputs: Sequence[Tensor]) -> NDArray[np.float32]:
            with torch.no_grad():
                result: Tensor = module(*inputs)
            return result.numpy()

        return run_program
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]

    def run_session(inputs: Sequence[Tensor]) -> NDArray[np.float32]:
        values: NDArray[np.float32] = session.run(
            None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        )[0]
        return values

    return run_session


def check(content: bytes, file_format: Format, module: Deployed, predictor: Predictor, millivolts: bool) -> None:
    """Compares an exported file with ours, for another number of recordings of other lengths than it was traced with.

    Raises:
        UserError: where they differ.
    """
    inputs = example_inputs(predictor, millivolts, (0.4, 1.0, 2.3))
    with torch.no_grad():
        expected = module(*inputs).numpy()
    difference = float(np.abs(open_file(content, file_format)(inputs) - expected).max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"The exported network differs from ours: a probability is off by {difference:.1e}, and at most {TOLERANCE:.0e} is "
            "allowed. Nothing was written."
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps torch's exporters from warning of packages that are not needed and of themselves."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
