"""A recurrent layer as ONNX's own operator; without it each of its steps would be an operator by itself, thousands a layer."""

from typing import Any

from onnxscript import opset20 as op


def recurrent_layer(
    input: Any,
    w_input: Any,
    w_hidden: Any,
    b_input: Any,
    b_hidden: Any,
    hidden: Any,
    cell: Any,
    reverse: bool,
    *rest: Any,
) -> tuple[Any, Any, Any, Any]:
    """Translates `aten.mkldnn_rnn_layer`, one direction of an LSTM that starts from zeros, as those of this package do.

    Args:
        input: (time, batch, features).
        w_input: (4 · width, features), of the gates input, forget, cell, output.
        w_hidden: (4 · width, width).
        b_input: (4 · width,).
        b_hidden: (4 · width,).
        hidden: not used: zeros.
        cell: not used: zeros.
        reverse: whether it reads backwards in time.
        rest: not used: `[batch_sizes, mode, width, …]`.

    Returns:
        (time, batch, width) states, the last hidden and cell states, and once more the last hidden state, for a workspace
        that nothing reads.
    """
    first: Any = [0]  # axes, which onnxscript takes as lists, though its types do not say so
    second: Any = [1]
    states, last_hidden, last_cell = op.LSTM(
        input,
        op.Unsqueeze(_onnx_order(w_input), first),
        op.Unsqueeze(_onnx_order(w_hidden), first),
        op.Unsqueeze(op.Concat(_onnx_order(b_input), _onnx_order(b_hidden), axis=0), first),
        hidden_size=rest[2],
        direction="reverse" if reverse else "forward",
    )
    return op.Squeeze(states, second), last_hidden, last_cell, last_hidden


def _onnx_order(weights: Any) -> Any:
    """Returns the gates in ONNX's order: input, output, forget, cell."""
    entry, forget, cell, output = op.Split(weights, axis=0, num_outputs=4)
    return op.Concat(entry, output, forget, cell, axis=0)
