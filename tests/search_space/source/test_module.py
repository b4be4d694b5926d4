"""Tests of written modules: they are run, beside the modules that we build, on the same weights."""

import ast
import builtins
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from search_space import graph
from search_space.architecture import Candidate
from search_space.catalog import CATALOG
from search_space.expand import expand
from search_space.graph import Add, Concat, Node, Sequence, Shape
from search_space.network import module
from search_space.source.module import source

ROOT = Path(__file__).parents[3]
IMAGE = (1, 28, 28)
SIZES = {"alexnet": 96, "nin": 96}
"""Pixels of the catalog's networks that can't run on 32."""


def loaded(text: str) -> Any:
    """The written network, run where nothing but torch can be imported."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert ast.unparse(node) in {"import torch", "from torch import nn"}

    def guarded(name: str, *rest: Any) -> Any:
        assert name == "torch", f"imports {name}"
        return __import__(name, *rest)

    namespace: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": guarded}}
    namespace["__name__"] = "written"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(tree, "written.py", "exec"), namespace)
        return namespace["Network"]()


def randomised(network: nn.Module) -> nn.Module:
    """As if trained: no normalization is the identity, and logits depend on the image."""
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -0.2, 0.2)
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.5, 1.5)
    return network


def both(node: Sequence, shape: Shape) -> tuple[nn.Module, Any]:
    """Our module of the graph, and the written one with its state."""
    ours, written = randomised(module(node)), loaded(source(node, shape, "test"))
    written.load_state_dict(ours.state_dict(), strict=True)
    assert list(written.state_dict()) == list(ours.state_dict())
    return ours, written


def images(shape: Shape, count: int = 2) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def agree(node: Sequence, shape: Shape) -> None:
    """In evaluation both modules give one output, to the last bit, and leave the images alone."""
    ours, written = both(node, shape)
    x = images(shape)
    given, expected = x.clone(), ours.eval()(x.clone())
    found = written.eval()(given)
    assert torch.equal(given, x), "the images were overwritten"
    assert expected.isfinite().all()
    assert not torch.equal(expected[0], expected[1]), "logits that don't depend on the image"
    assert torch.equal(found, expected)


def agree_in_training(node: Sequence, shape: Shape) -> None:
    """One step without dropout: logits, auxiliary logits, gradients and statistics are the same."""
    ours, written = both(node, shape)
    for network in (ours, written):
        network.train()
        for layer in network.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
    x = images(shape, 4)
    outputs = []
    for network in (ours, written):
        seconds = [m for m in network.modules() if hasattr(m, "logits")]
        logits = network(x)
        outputs.append([logits, *(second.logits for second in seconds)])
        sum(output.square().mean() for output in outputs[-1]).backward()
    assert len(outputs[0]) == len(outputs[1])
    for found, expected in zip(outputs[1], outputs[0], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    theirs = written.state_dict()
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(theirs[name], tensor, rtol=1e-6, atol=1e-6)
    gradients = {name: parameter.grad for name, parameter in written.named_parameters()}
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-5, atol=1e-6)


def catalogued(name: str) -> tuple[Sequence, Shape]:
    size = SIZES.get(name, 32)
    channels = 1 if name in ("alexnet", "nin", "vgg11") else 3
    return CATALOG[name].graph(size, channels, 10), (channels, size, size)


@pytest.mark.parametrize("part", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
def test_sampled_candidates(sampled: list[Candidate], part: int) -> None:
    for candidate in sampled[50 * part : 50 * (part + 1)]:
        agree(expand(candidate.architecture), IMAGE)


@pytest.mark.parametrize("name", CATALOG)
def test_the_catalog(name: str) -> None:
    agree(*catalogued(name))


def test_training_of_sampled_candidates(sampled: list[Candidate]) -> None:
    for candidate in sampled[:10]:
        agree_in_training(expand(candidate.architecture), IMAGE)


@pytest.mark.parametrize("name", ["googlenet-aux", "inception-28"])
def test_training_of_the_catalog(name: str) -> None:
    agree_in_training(*catalogued(name))


def test_an_auxiliary_head_speaks_in_training_alone() -> None:
    node, shape = catalogued("googlenet-aux")
    _, written = both(node, shape)
    heads = [written.stage2.auxiliary1, written.stage2.auxiliary4]
    written.train()(images(shape))
    assert [(head.logits.shape, head.weight) for head in heads] == [((2, 10), 0.3)] * 2
    written.eval()(images(shape))
    assert [head.logits for head in heads] == [None, None]


def conv_relu(inputs: int, outputs: int, kernel: int = 3, **options: Any) -> Sequence:
    layer = graph.conv(inputs, outputs, (kernel, kernel), **options)
    return Sequence((("conv", layer), ("relu", graph.relu())))


def normed(channels: int, eps: float, bias: bool) -> Sequence:
    parts: tuple[tuple[str, Node], ...] = (
        ("conv", graph.conv(channels, channels, (3, 1), bias=bias)),
        ("bn", graph.batch_norm(channels, eps)),
        ("relu", graph.relu()),
    )
    return Sequence(parts)


IDENTITY, RELU = graph.IDENTITY, graph.relu()
HALF = Concat((("a", conv_relu(4, 2)),))
WHOLE = Concat((("a", conv_relu(4, 2)), ("b", conv_relu(4, 2))))
ODD: dict[str, tuple[tuple[str, Node], ...]] = {
    "nothing": (),
    "identity": (("a", IDENTITY), ("b", Sequence((("c", IDENTITY),)))),
    "relu of the image": (("relu", RELU),),
    "relu of what was handed on": (
        ("dropout", graph.dropout(0.3)),
        ("relu", RELU),
        ("scale", graph.scale(0.1)),
    ),
    "branches that only look": (
        ("sum", Add((("a", RELU), ("b", IDENTITY), ("c", Sequence((("relu", RELU),)))))),
        ("relu", RELU),
    ),
    "shortcuts": (
        ("plain", Add((("path", RELU), ("shortcut", IDENTITY)))),
        ("swapped", Add((("shortcut", graph.scale(3.0)), ("path", RELU)))),
        ("one", Sequence((("add", Add((("path", RELU), ("shortcut", RELU)))), ("relu", RELU)))),
        ("other", Sequence((("add", Add((("path", RELU), ("b", RELU)))), ("relu", RELU)))),
    ),
    "one graph used twice": (
        ("both", Add((("path", WHOLE), ("shortcut", WHOLE)))),
        ("again", Sequence((("add", Add((("path", WHOLE), ("shortcut", WHOLE)))), ("relu", RELU)))),
        ("stage", Sequence((("a", WHOLE), ("b", Add((("a", WHOLE), ("b", WHOLE))))))),
    ),
    "nested": (
        ("stage", Sequence((("c", Concat((("a", HALF), ("b", Concat((("b", HALF),)))))),))),
        ("outer", Concat((("inner", Concat((("a", RELU), ("b", IDENTITY)))),))),
    ),
    "kernels and strides": (
        ("even", graph.conv(4, 6, (2, 4), 1, False)),
        ("unpadded", graph.conv(6, 6, (3, 3), 1, True, (0, 0))),
        ("strided", conv_relu(6, 5, stride=2)),
        ("even unit", conv_relu(5, 5, 2)),
        ("wide", conv_relu(5, 4, stride=1, padding=(3, 1))),
    ),
    "units of several kinds": (
        ("first", normed(4, 1e-3, False)),
        ("second", normed(4, 1e-5, False)),
        ("third", normed(4, 1e-3, True)),
        ("fourth", normed(4, 1e-3, False)),
        ("alone", Sequence((("conv", graph.conv(4, 4, (1, 1))),))),
    ),
    "pools": (
        ("up", graph.pool("max", 2, 3, 0, True)),
        ("down", graph.pool("max", 2, 3, 0)),
        ("average", graph.pool("avg", 2, 3, 1, True)),
        ("even", graph.pool("avg", 1, 2, 1)),
        ("whole", graph.global_pool(2)),
        ("flatten", graph.flatten()),
        ("linear", graph.linear(16, 7)),
        ("relu", RELU),
    ),
    "names": (
        ("3x3", conv_relu(4, 4)),
        ("class", conv_relu(4, 4)),
        ("_private", conv_relu(4, 4)),
        ("__mangled", graph.scale(0.5)),
        ("with space", Sequence((("a-b", WHOLE), ("a b", WHOLE), ("a_b", HALF)))),
        ('quo"te', graph.conv(2, 3, (1, 1))),
        ("it's", graph.conv(3, 4, (1, 1))),
        ("\\", graph.conv(4, 4, (1, 1))),
        ("größe", Concat((("ß", RELU), ("\n", IDENTITY)))),
    ),
    "names of helpers": tuple(
        (name, Sequence(((name, Concat((("nn", conv_relu(4, 2)), ("x", conv_relu(4, 2))))),)))
        for name in ("sequence", "Concat", "conv_relu", "nn", "super", "branches", "Network", "x")
    ),
    "an auxiliary head with branches": (
        ("aux", graph.Auxiliary(Sequence((("c", WHOLE), ("pool", graph.global_pool()))), 0.5)),
        ("stage", Sequence((("aux", graph.Auxiliary(WHOLE, 0.25)), ("relu", RELU)))),
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_layers_and_names_that_no_candidate_has(name: str) -> None:
    node, shape = Sequence(ODD[name]), (4, 11, 9)
    agree(node, shape)
    x = images(shape)
    ours, written = both(node, shape)
    torch.manual_seed(0)
    expected = ours.train()(x.clone())
    torch.manual_seed(0)
    torch.testing.assert_close(written.train()(x.clone()), expected, rtol=1e-6, atol=1e-6)
    weights = [[m.weight for m in n.modules() if hasattr(m, "logits")] for n in (ours, written)]
    assert weights[0] == weights[1]
    said = re.search(r"output \[N, ([\d, ]+)\];", source(node, shape, ""))
    assert said
    assert said[1] == ", ".join(map(str, expected.shape[1:]))


def test_the_docstring_states_the_networks_size(sampled: list[Candidate]) -> None:
    graphs = [(expand(candidate.architecture), IMAGE) for candidate in sampled[200:210]]
    for node, shape in [*graphs, catalogued("googlenet-aux"), catalogued("nin")]:
        text = source(node, shape, "test")
        network = loaded(text).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.inference_mode():
            output = network(images(shape, 1))
        assert output.shape == (1, 10)
        heads = [n for n, m in network.named_modules() if hasattr(m, "logits")]
        params = sum(
            parameter.numel()
            for name, parameter in network.named_parameters()
            if not any(name.startswith(f"{head}.") for head in heads)
        )
        assert ast.get_docstring(ast.parse(text)) == "\n".join(
            [
                "test",
                "",
                f"Input [N, {', '.join(map(str, shape))}], output [N, 10]; "
                "sizes below are without N.",
                f"{params:,} parameters, {counter.get_total_flops() // 2:,} multiply-adds (MACs) "
                "an image.",
                *["Auxiliary heads, which serve training alone, are not counted."] * bool(heads),
            ]
        )


def test_every_size_that_is_written_beside_a_part_is_so() -> None:
    node, shape = catalogued("googlenet-torchvision")
    text = source(node, shape, "test")
    network, x = loaded(text).eval(), images(shape)
    said = re.findall(r"x = self\.(\w+)\(x\)  # ([\dx]+)$", text, re.MULTILINE)
    assert len(said) == len(node.children)
    for name, size in said:
        source_size = "x".join(map(str, x.shape[1:]))
        x = getattr(network, name)(x)
        assert size == "x".join(map(str, x.shape[1:]))
        if f"def {name}():" in text:
            assert f'def {name}():\n    """{source_size} to {size}."""' in text


def test_ruff_has_nothing_to_say(tmp_path: Path, sampled: list[Candidate]) -> None:
    graphs = {name: catalogued(name) for name in CATALOG}
    graphs |= {f"odd {n}": (Sequence(parts), (4, 11, 9)) for n, parts in enumerate(ODD.values())}
    graphs |= {f"{n}": (expand(c.architecture), IMAGE) for n, c in enumerate(sampled[:100])}
    for name, (node, shape) in graphs.items():
        text = source(node, shape, f"{name} as \\ an 'example' of a \"title\"")
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    beside = Path(sys.executable).parent / "ruff"
    ruff = str(beside) if beside.exists() else shutil.which("ruff")
    assert ruff, "ruff is part of the test extra"
    for command in (["format", "--check", "--diff"], ["check", "--no-cache"]):
        config = ["--config", str(ROOT / "pyproject.toml")]
        done = subprocess.run(
            [ruff, *command, *config, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[:4000]
