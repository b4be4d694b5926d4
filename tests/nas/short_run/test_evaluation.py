"""Real short runs on real Fashion-MNIST: pure, seeded, fair without batch norm, ended by NaN."""

import warnings
from dataclasses import asdict, replace

import pytest
import torch

from nas.datasets import find
from nas.settings import Recipe, Request, Settings
from nas.short_run.evaluation import evaluate
from nas.short_run.training import CURVE_POINTS, has_batch_norm, initialize
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.network import build

BLOCK = Block(8, 4, 8, 4, 8, 8)


def candidate(
    norm: str, blocks: int = 1, smoothing: float = 0.0, dropout: float = 0.0
) -> Candidate:
    stages = (Stage((BLOCK,) * blocks), Stage((BLOCK,) * blocks, "max-pool"))
    return Candidate(Architecture(Stem(8, 3, 2), stages, norm, dropout), smoothing)


@pytest.fixture(scope="module")
def directory() -> str:
    return find("fashion-mnist").directory


def request_of(directory: str, one: Candidate, **changes: object) -> Request:
    settings = Settings(budgets=(2000,), data=find("fashion-mnist").digest)
    return replace(settings.request(one, directory), **changes)  # type: ignore[arg-type]


def test_equal_requests_give_equal_bits_whatever_ran_before(directory: str) -> None:
    request = request_of(directory, candidate("conv-bn-relu", smoothing=0.1, dropout=0.2))
    torch.manual_seed(123)
    expected_state = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    first = evaluate(request)
    assert torch.equal(torch.random.get_rng_state(), expected_state)
    assert torch.get_num_threads() == threads
    evaluate(request_of(directory, candidate("none")))
    torch.rand(5)
    second = evaluate(request)
    for name in ("accuracy", "loss", "curve"):
        assert getattr(first, name) == getattr(second, name)
    other = evaluate(replace(request, seed=request.seed + 1))
    assert other.curve != first.curve


def test_a_short_run_learns_and_its_curve_covers_the_budget(directory: str) -> None:
    result = evaluate(request_of(directory, candidate("conv-bn-relu"), budget=6000))
    assert result.accuracy is not None
    assert result.accuracy > 0.6
    images, losses, accuracies = zip(*result.curve, strict=True)
    assert len(result.curve) == CURVE_POINTS
    assert images[-1] == 6000
    assert list(images) == sorted(images)
    assert losses[-1] < losses[0]
    assert accuracies[-1] > accuracies[0]
    assert result.failure is None
    assert result.versions["torch"].startswith(torch.__version__.split("+")[0])
    assert 0 < 6000 / result.images_per_second < result.seconds


@pytest.mark.parametrize("budget", [128, 200, 256, 257])
def test_budgets_of_few_steps_and_of_one_image_left_over_train(directory: str, budget: int) -> None:
    small = Architecture(
        Stem(8, 3, 2, True, (8, 16)),
        (Stage((BLOCK,)), Stage((BLOCK,), "inception"), Stage((BLOCK,), "max-pool")),
        "conv-bn-relu",
    )
    result = evaluate(request_of(directory, Candidate(small), budget=budget))
    assert result.failure is None
    assert result.curve[-1][0] == budget - (budget % 64 == 1)


@pytest.mark.parametrize("norm", ["none", "bn-relu-conv"])
def test_every_norm_gets_a_fair_start(directory: str, norm: str) -> None:
    result = evaluate(request_of(directory, candidate(norm, blocks=2), budget=6000))
    assert result.accuracy is not None
    assert result.accuracy > 0.5


def test_initialization_keeps_the_variance_of_deep_plain_networks() -> None:
    network = build(candidate("none", blocks=4).architecture)
    images = torch.randn(16, 1, 28, 28)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        before = network(images).std(0).mean()
        initialize(network)
    assert not has_batch_norm(network)
    after = network(images).std(0).mean()
    assert before < 0.01 < 0.1 < after < 3


def test_a_loss_that_is_not_finite_ends_the_run_with_that_reason(directory: str) -> None:
    recipe = Recipe(plain_learning_rate=1e9, clip=1e9)
    result = evaluate(request_of(directory, candidate("none"), recipe=recipe))
    assert result.accuracy is None
    assert result.failure is not None
    assert result.failure.startswith("the training loss is ")
    assert result.failure.endswith("images")


def test_bf16_learns_like_float32(directory: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = candidate("conv-bn-relu")
        exact = evaluate(request_of(directory, one))
        rough = evaluate(request_of(directory, one, recipe=Recipe(precision="bf16")))
    assert exact.accuracy is not None
    assert rough.accuracy == pytest.approx(exact.accuracy, abs=0.05)
    assert rough.accuracy != exact.accuracy


def test_three_channels_and_other_resolutions_train(directory: str) -> None:
    request = request_of(directory, candidate("conv-bn-relu"))
    images = replace(request.images, resolution=16, channels=3)
    result = evaluate(replace(request, images=images))
    assert result.accuracy is not None
    assert result.accuracy > 0.3


def test_other_data_than_the_studys_is_refused(directory: str) -> None:
    with pytest.raises(ValueError, match="the study was made with elsewhere"):
        evaluate(request_of(directory, candidate("none"), data="elsewhere"))


def test_the_identity_holds_all_that_a_result_depends_on(directory: str) -> None:
    request = request_of(directory, candidate("none"))
    changes: dict[str, object] = {
        "network": candidate("none", smoothing=0.1),
        "recipe": Recipe(batch_size=32),
        "images": replace(request.images, resolution=32),
        "budget": 500,
        "seed": 7,
        "data": "other",
        "metric": "balanced-accuracy",
        "folds": 2,
    }
    assert changes.keys() == asdict(request).keys()
    others = [replace(request, **{name: value}) for name, value in changes.items()]  # type: ignore[arg-type]
    others.append(replace(request, images=replace(request.images, channels=3)))
    assert all(other.identity() != request.identity() for other in others)
    # the digest of the data stands for where images are and how they are read
    for same in ({"directory": "/"}, {"name": "mnist"}, {"pixel_range": (0.0, 1.0)}):
        moved = replace(request, images=replace(request.images, **same))  # type: ignore[arg-type]
        assert moved.identity() == request.identity()
