"""Every residual form, factorization and batch-norm order trains on real data; losses by hand."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nas.datasets import find
from nas.settings import Recipe, Settings
from nas.short_run.evaluation import evaluate
from nas.short_run.training import ShortRun
from search_space.architecture import (
    NORMS,
    RESIDUALS,
    Architecture,
    Auxiliary,
    Block,
    Candidate,
    Stage,
    Stem,
)
from search_space.factorization import FACTORIZATIONS
from search_space.network import build

FORMS = [
    # Every residual with every factorization, and every order with each of both; the ordinary
    # tests have each of all three.
    pytest.param(
        *(residual, factorization, NORMS[(row + column) % len(NORMS)]),
        marks=[] if row == column % len(RESIDUALS) else pytest.mark.slow,
    )
    for row, residual in enumerate(RESIDUALS)
    for column, factorization in enumerate(FACTORIZATIONS)
]


@pytest.mark.parametrize(("residual", "factorization", "norm"), FORMS)
def test_every_form_learns_in_a_short_run(residual: str, factorization: str, norm: str) -> None:
    block = Block(
        *(8, 8, 16, 4, 8, 8),
        factorization=factorization,
        n=5,
        residual=residual,
        scale=0.3,
    )
    stages = (Stage((replace(block, residual="none"),)), Stage((block,) * 2, "max-pool"))
    one = Candidate(Architecture(Stem(8, 3, 2), stages, norm), 0.1)
    found = find("fashion-mnist")
    settings = Settings(budgets=(4000,), data=found.digest, resolution=20)
    result = evaluate(settings.request(one, found.directory))
    assert result.failure is None
    assert result.accuracy is not None
    assert result.accuracy > 0.3
    assert all(loss == loss for _, loss, _ in result.curve)


def run_of(architecture: Architecture, label_smoothing: float) -> ShortRun:
    torch.manual_seed(0)
    network = build(architecture).eval()
    return ShortRun(network, Recipe(), label_smoothing, (0.3,), (0.35,), 1, 10)


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (16, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return pixels, torch.arange(16) % 10


PLAIN = Architecture(Stem(8), (Stage((Block(8), Block(8))),))


@pytest.mark.parametrize("epsilon", [0.0, 0.05, 0.1, 0.5])
def test_label_smoothing_is_its_formula(epsilon: float) -> None:
    run = run_of(PLAIN, epsilon)
    pixels, labels = batch()
    log = run(pixels).double().log_softmax(1)
    truth = -log[torch.arange(16), labels]
    uniform = -log.mean(1)
    expected = ((1 - epsilon) * truth + epsilon * uniform).mean()
    loss = run.training_step((pixels, labels), 0).detach()
    assert abs(float(loss) - float(expected.detach())) < 1e-6


def test_auxiliary_losses_are_added_with_their_weights_in_training_alone() -> None:
    heads = (Auxiliary(1, 1, 0.3), Auxiliary(1, 2, 0.5))
    run = run_of(replace(PLAIN, auxiliary=heads), 0.1)
    run.network.train()
    pixels, labels = batch()
    torch.manual_seed(2)  # of the heads' dropout
    run(pixels)
    expected = torch.zeros(())
    torch.manual_seed(2)
    logits = [run(pixels), *(head.logits for head in run.auxiliary)]
    for weight, some in zip((1.0, 0.3, 0.5), logits, strict=True):
        assert some is not None
        expected = expected + weight * torch.nn.functional.cross_entropy(
            some, labels, label_smoothing=0.1
        )
    torch.manual_seed(2)
    loss = run.training_step((pixels, labels), 0)
    assert abs(float(loss.detach()) - float(expected.detach())) < 1e-6
    loss.backward()
    for name, parameter in run.network.named_parameters():
        assert parameter.grad is not None, name
    run.network.eval()
    with torch.no_grad():
        run.validation_step((pixels, labels), 0)
    assert all(head.logits is None for head in run.auxiliary)


def test_a_network_with_auxiliary_heads_learns() -> None:
    stages = (Stage((Block(8, 8, 16),)), Stage((Block(8, 8, 16),), "max-pool"))
    one = Candidate(
        Architecture(Stem(8, 3, 2), stages, "conv-bn-relu", auxiliary=(Auxiliary(1, 1),))
    )
    found = find("fashion-mnist")
    settings = Settings(budgets=(4000,), data=found.digest, resolution=20)
    result = evaluate(settings.request(one, found.directory))
    assert result.accuracy is not None
    assert result.accuracy > 0.5
