"""The layers of a graph as PyTorch expressions, and the small helpers that make them readable."""

from search_space.graph import (
    BatchNorm,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Linear,
    Node,
    Pool,
    ReLU,
    Scale,
    Sequence,
)
from search_space.source.brackets import Call, Expression, call, entries, lines

Used = dict[str, str]
"""The helpers that a written module uses: name to definition."""

UNITS: dict[str, tuple[type[Layer], ...]] = {
    "conv": (Conv,),
    "conv_relu": (Conv, ReLU),
    "conv_bn": (Conv, BatchNorm),
    "conv_bn_relu": (Conv, BatchNorm, ReLU),
    "bn_relu_conv": (BatchNorm, ReLU, Conv),
}
"""Sequences that are one call: the names of their layers, joined, and the kinds of these."""

WORDS = {"conv": "convolution", "bn": "batch norm", "relu": "ReLU"}

HELPERS = {
    "add_relu": '''\
def add_relu(path, shortcut):
    """path(x) + shortcut(x), then ReLU."""
    return sequence({"add": Add(path, shortcut), "relu": nn.ReLU(inplace=True)})
''',
    "sequence": '''\
def sequence(layers):
    """The layers one after the other, under their names."""
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network
''',
    "Concat": '''\
class Concat(nn.ModuleDict):
    """Branches side by side on one input, their outputs joined along the channels."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.values()], 1)
''',
    "Add": '''\
class Add(nn.Module):
    """path(x) + shortcut(x)."""

    def __init__(self, path, shortcut):
        super().__init__()
        self.path = path
        self.shortcut = shortcut

    def forward(self, x):
        return self.path(x) + self.shortcut(x)
''',
    "Sum": '''\
class Sum(nn.ModuleDict):
    """Branches side by side on one input, their outputs added."""

    def forward(self, x):
        first, *others = self.values()
        total = first(x)
        for branch in others:
            total = total + branch(x)
        return total
''',
    "Scale": '''\
class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor
''',
    "Auxiliary": '''\
class Auxiliary(nn.Module):
    """A second head: hands its input on; in training, ``logits`` is what the head says of it.

    Their loss, times ``weight``, is to be added to the loss of the network's own logits.
    """

    def __init__(self, head, weight):
        super().__init__()
        self.head = head
        self.weight = weight
        self.logits = None

    def forward(self, x):
        self.logits = self.head(x) if self.training else None
        return x
''',
}
"""Name to definition of all other helpers; ``sequence`` and ``Add`` serve ``add_relu`` too."""


def using(used: Used, helper: str, *arguments: Expression, **keywords: Expression) -> Call:
    """A call of one of ``HELPERS``, which is ``used`` from now on."""
    used[helper] = HELPERS[helper]
    return call(helper, *arguments, **keywords)


def definitions(used: Used) -> list[str]:
    """The definitions of the helpers in use, in the order of the tables."""
    return [used[name] for name in (*UNITS, *HELPERS) if name in used]


def is_unit(node: Node) -> bool:
    """Whether ``node`` is one of ``UNITS``: a convolution with its batch norm and activation."""
    if not isinstance(node, Sequence):
        return False
    kinds = tuple(type(child) for _, child in node.children)
    return bool(kinds) and UNITS.get(_joined(node)) == kinds


def _joined(node: Sequence) -> str:
    return "_".join(name for name, _ in node.children)


def unit(node: Sequence, used: Used) -> Call | None:
    """A unit as one call; None if the helper of that name has another bias or epsilon."""
    by_kind = {type(layer): layer for _, layer in node.children}
    convolution, norm = by_kind[Conv], by_kind.get(BatchNorm)
    assert isinstance(convolution, Conv)
    assert norm is None or isinstance(norm, BatchNorm)
    name = _joined(node)
    definition = _unit_definition(name, convolution.bias, norm.eps if norm else 0.0)
    if used.setdefault(name, definition) != definition:
        return None
    used["sequence"] = HELPERS["sequence"]
    same = tuple(size // 2 for size in convolution.kernel) == convolution.padding
    odd = all(size % 2 for size in convolution.kernel)
    options = {}
    if convolution.stride != 1:
        options["stride"] = f"{convolution.stride}"
    if convolution.stride != 1 or not (same and odd):
        options["padding"] = _pair(convolution.padding)
    return call(name, *_widths_and_kernel(convolution), **options)


def _unit_definition(name: str, bias: bool, eps: float) -> str:
    parts = name.split("_")
    options = {} if bias else {"bias": "False"}
    width = "inputs" if parts[0] == "bn" else "outputs"
    arguments = ("inputs", "outputs", "kernel", "stride", "padding")
    layers: dict[str, Expression] = {
        "conv": call("nn.Conv2d", *arguments, **options),
        "bn": _batch_norm(width, eps),
        "relu": "nn.ReLU(inplace=True)",
    }
    words = ", ".join(WORDS[part] for part in parts) + ("" if len(parts) > 1 else " alone")
    made = call("sequence", entries([(part, layers[part], "") for part in parts]))
    text = [
        f'def {name}(inputs, outputs, kernel, stride=1, padding="same"):',
        f'    """{words[0].upper()}{words[1:]}."""',
        *lines("return ", made, 4),
    ]
    return "\n".join([*text, ""])


def _batch_norm(width: str, eps: float) -> Call:
    options = {} if eps == 1e-5 else {"eps": repr(eps)}  # torch's default
    return call("nn.BatchNorm2d", width, **options)


def _pair(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]}" if sizes[0] == sizes[1] else f"{sizes}"


def _widths_and_kernel(layer: Conv) -> tuple[str, str, str]:
    return f"{layer.inputs}", f"{layer.outputs}", _pair(layer.kernel)


def layer(node: Layer, owned: bool, used: Used) -> Expression:
    """The expression of a single layer; if ``owned``, a ReLU may overwrite its input."""
    match node:
        case Conv():
            options = {"stride": f"{node.stride}"} if node.stride != 1 else {}
            options |= {"padding": _pair(node.padding)} if any(node.padding) else {}
            options |= {} if node.bias else {"bias": "False"}
            return call("nn.Conv2d", *_widths_and_kernel(node), **options)
        case BatchNorm():
            return _batch_norm(f"{node.channels}", node.eps)
        case ReLU():
            return "nn.ReLU(inplace=True)" if owned else "nn.ReLU()"
        case Scale():
            return using(used, "Scale", repr(node.factor))
        case Dropout():
            return call("nn.Dropout", repr(node.p))
        case Pool("max" | "avg"):
            options = {"ceil_mode": "True"} if node.ceil else {}
            options |= {"count_include_pad": "False"} if node.mode == "avg" else {}
            sizes = [f"{node.kernel}", f"{node.stride}", *[f"{node.padding}"] * (node.padding > 0)]
            return call(f"nn.{node.mode.title()}Pool2d", *sizes, **options)
        case GlobalPool():
            return call("nn.AdaptiveAvgPool2d", f"{node.size}")
        case Flatten():
            return "nn.Flatten()"
        case Linear():
            linear = call("nn.Linear", f"{node.inputs}", f"{node.outputs}")
            return call("nn.Sequential", "nn.Flatten()", linear)
    raise AssertionError(f"no source for {node!r}")
