"""Build the model.onnx of the in-process embedder from upstream's weights: `build_minilm.py model.safetensors`.

The weights are those of sentence-transformers/all-MiniLM-L6-v2, a BERT of 6 layers and 12 heads. The graph is written
node by node, with the mean pooling and the L2 norm inside, then quantised to int8 per channel. Printed are the sha256 of
the result and how near its vectors come to upstream's own. With onnx 1.23.2 and onnxruntime 1.32.0 the file is the
shipped one, byte for byte, which is why the names of the tensors and the order of the nodes should stay.
"""

import argparse
import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from llmops_api.adapters.minilm import MiniLM

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
REFERENCE = Path(__file__).parents[1] / "tests" / "adapters" / "recordings" / "minilm_reference.json"
LAYERS, HEADS, DIMENSIONS = 6, 12, 384
HEAD_DIMENSIONS = DIMENSIONS // HEADS
LAYER_NORM_EPSILON = 1e-12

Weights = dict[str, NDArray[np.float32]]


def read_safetensors(path: Path) -> Weights:
    """The float tensors by name. The format: a header's length (8 bytes, little-endian), the header (JSON), the data."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != WEIGHTS_SHA256:
        raise SystemExit(f"{path}: sha256 is {found}, expected {WEIGHTS_SHA256}")
    start = 8 + int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8:start])
    return {name: _tensor(memoryview(data)[start:], it) for name, it in header.items() if it.get("dtype") == "F32"}


def _tensor(data: memoryview, entry: dict[str, Any]) -> NDArray[np.float32]:
    begin, end = entry["data_offsets"]
    return np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])


class Graph:
    """An ONNX graph in the making; every method returns the name of what it added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, values: Any, dtype: type[np.generic] = np.float32) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=dtype), name))
        return name

    def integers(self, name: str, *values: int) -> str:
        return self.constant(name, values, np.int64)

    def layer_norm(self, source: str, names: tuple[str, str], weights: Weights, prefix: str, output: str) -> str:
        scale = self.constant(names[0], weights[f"{prefix}.weight"])
        shift = self.constant(names[1], weights[f"{prefix}.bias"])
        return self.add("LayerNormalization", [source, scale, shift], output, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def linear(self, source: str, name: str, weights: Weights, prefix: str) -> str:
        matrix = self.constant(f"{name}_w", weights[f"{prefix}.weight"].T)
        bias = self.constant(f"{name}_b", weights[f"{prefix}.bias"])
        return self.add("Add", [self.add("MatMul", [source, matrix], f"{name}_m"), bias], name)


def embeddings(graph: Graph, weights: Weights) -> str:
    """Word, position and token type (always the first) embeddings, summed and normed: (batch, tokens, dimensions)."""
    words = graph.constant("wemb", weights["embeddings.word_embeddings.weight"])
    positions = graph.constant("pemb", weights["embeddings.position_embeddings.weight"])
    token_type = graph.constant("temb", weights["embeddings.token_type_embeddings.weight"][0])
    graph.integers("ax0", 0)
    graph.integers("ax1", 1)
    graph.integers("ax12", 1, 2)
    graph.constant("neg", [-1e9])
    graph.constant("onef", [1])
    graph.integers("z1", 0)
    tokens = graph.add("Shape", ["input_ids"], "shp", start=1, end=2)
    # A Slice, not Range and Gather: those hit a fault in the graph optimiser of onnxruntime 1.31.1.
    position = graph.add("Slice", [positions, "z1", tokens, "ax0"], "pe")
    word = graph.add("Gather", [words, "input_ids"], "we", axis=0)
    total = graph.add("Add", [graph.add("Add", [word, position], "e1"), token_type], "e2")
    return graph.layer_norm(total, ("elw", "elb"), weights, "embeddings.LayerNorm", "x0")


def mask_bias(graph: Graph) -> str:
    """What attention adds to each score: 0 for a token, -1e9 for padding: (batch, 1, 1, tokens)."""
    mask = graph.add("Cast", ["attention_mask"], "mf", to=TensorProto.FLOAT)
    padding = graph.add("Mul", [graph.add("Sub", ["onef", mask], "inv"), "neg"], "bias2")
    return graph.add("Unsqueeze", [padding, "ax12"], "abias")


def shared_constants(graph: Graph) -> None:
    """What every layer uses: shapes (0 keeps a dimension), the scale of attention, GELU's halves."""
    graph.integers("shqkv", 0, 0, HEADS, HEAD_DIMENSIONS)
    graph.integers("shout", 0, 0, DIMENSIONS)
    graph.constant("scale", [HEAD_DIMENSIONS**-0.5])
    graph.constant("half", [0.5])
    graph.constant("rs2", [2**-0.5])


def attention(graph: Graph, n: int, source: str, bias: str, weights: Weights) -> str:
    """Multi-head self-attention of layer `n`, before its output projection."""
    heads = []
    for name, part, order in (("q", "query", [0, 2, 1, 3]), ("k", "key", [0, 2, 3, 1]), ("v", "value", [0, 2, 1, 3])):
        flat = graph.linear(source, f"{name}{n}", weights, f"encoder.layer.{n}.attention.self.{part}")
        split = graph.add("Reshape", [flat, "shqkv"], f"{name}h{n}r")
        heads.append(graph.add("Transpose", [split], f"{name}h{n}", perm=order))
    query, key, value = heads
    scores = graph.add("Mul", [graph.add("MatMul", [query, key], f"s{n}"), "scale"], f"ss{n}")
    shares = graph.add("Softmax", [graph.add("Add", [scores, bias], f"sb{n}")], f"p{n}", axis=-1)
    context = graph.add("MatMul", [shares, value], f"c{n}")
    joined = graph.add("Transpose", [context], f"ct{n}", perm=[0, 2, 1, 3])
    return graph.add("Reshape", [joined, "shout"], f"cr{n}")


def gelu(graph: Graph, n: int, source: str) -> str:
    """The exact GELU: x (1 + erf(x / sqrt 2)) / 2."""
    error = graph.add("Erf", [graph.add("Mul", [source, "rs2"], f"g1{n}")], f"g2{n}")
    doubled = graph.add("Mul", [source, graph.add("Add", [error, "onef"], f"g3{n}")], f"g4{n}")
    return graph.add("Mul", [doubled, "half"], f"g{n}")


def layer(graph: Graph, n: int, source: str, bias: str, weights: Weights) -> str:
    """Attention and feed-forward, each added to what came in, then normed."""
    prefix = f"encoder.layer.{n}"
    context = attention(graph, n, source, bias, weights)
    projected = graph.linear(context, f"o{n}", weights, f"{prefix}.attention.output.dense")
    residual = graph.add("Add", [projected, source], f"r1{n}")
    norm = f"{prefix}.attention.output.LayerNorm"
    attended = graph.layer_norm(residual, (f"l1w{n}", f"l1b{n}"), weights, norm, f"a{n}")
    wide = graph.linear(attended, f"i{n}", weights, f"{prefix}.intermediate.dense")
    narrow = graph.linear(gelu(graph, n, wide), f"d{n}", weights, f"{prefix}.output.dense")
    residual = graph.add("Add", [narrow, attended], f"r2{n}")
    return graph.layer_norm(residual, (f"l2w{n}", f"l2b{n}"), weights, f"{prefix}.output.LayerNorm", f"x{n + 1}")


def pooled(graph: Graph, source: str) -> None:
    """The mean over the tokens that are no padding, at length 1."""
    graph.integers("ax2", 2)
    mask = graph.add("Unsqueeze", ["mf", "ax2"], "m3")
    total = graph.add("ReduceSum", [graph.add("Mul", [source, mask], "xm"), "ax1"], "sum", keepdims=0)
    count = graph.add("ReduceSum", [mask, "ax1"], "cnt", keepdims=0)
    graph.add("LpNormalization", [graph.add("Div", [total, count], "mean")], "embedding", axis=-1, p=2)


def build(weights: Weights) -> onnx.ModelProto:
    """The fp32 model: `input_ids` and `attention_mask` (batch, tokens) to `embedding` (batch, dimensions)."""
    graph = Graph()
    hidden = embeddings(graph, weights)
    bias = mask_bias(graph)
    shared_constants(graph)
    for n in range(LAYERS):
        hidden = layer(graph, n, hidden, bias, weights)
    pooled(graph, hidden)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"]) for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["b", DIMENSIONS])]
    body = helper.make_graph(graph.nodes, "minilm", inputs, outputs, graph.constants)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def quantise(model: onnx.ModelProto, output: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "model.onnx"
        onnx.save(model, source)
        quantize_dynamic(source, output, weight_type=QuantType.QInt8, per_channel=True)


def cosines(model: Path) -> list[float]:
    """How near the model's vectors come to upstream's, text by text."""
    embedder = MiniLM(model)
    references = json.loads(REFERENCE.read_text(encoding="utf-8"))["references"]
    return [float(embedder.vector(it["text"]) @ np.array(it["vector"], np.float32)) for it in references]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, help="upstream's model.safetensors")
    parser.add_argument("output", type=Path, nargs="?", default=Path("build/model.onnx"))
    arguments = parser.parse_args()
    model = build(read_safetensors(arguments.weights))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    quantise(model, arguments.output)
    print("sha256", hashlib.sha256(arguments.output.read_bytes()).hexdigest())
    print("cosine", *(f"{cosine:.4f}" for cosine in cosines(arguments.output)))


if __name__ == "__main__":
    main()
