"""Settings as a script gives them: what is clear is taken, what isn't is said."""

from typing import Any

import pytest

from nas import SearchSpace, Settings
from search_space.device.cores import CORES


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"objectives": "accuracy,params"}, {"objectives": ("accuracy", "params")}),
        ({"objectives": "accuracy"}, {"objectives": ("accuracy",)}),
        ({"objectives": ["accuracy", "flops"]}, {"objectives": ("accuracy", "flops")}),
        (
            {"start_from": "inception-28, googlenet-28"},
            {"start_from": ("inception-28", "googlenet-28")},
        ),
        ({"budgets": 16_000}, {"budgets": (1_000, 4_000, 16_000)}),
        ({"budgets": 4_000, "eta": 2.0}, {"budgets": (1_000, 2_000, 4_000), "eta": 2.0}),
        ({"budgets": [500, 1_000]}, {"budgets": (500, 1_000)}),
        ({"pixel_range": [0, 4095]}, {"pixel_range": (0, 4095)}),
        (
            {"space": {"stem.width": [16, 32]}},
            {"space": SearchSpace({"stem.width": (16, 32)})},
        ),
        ({"device": "cortex-m7"}, {"device": CORES["cortex-m7"]}),
        (
            {"device": "esp32s3", "objectives": "accuracy,cycles", "max_cycles": 10**7},
            {
                "device": CORES["esp32s3"],
                "objectives": ("accuracy", "cycles"),
                "max_cycles": 10_000_000,
            },
        ),
    ],
)
def test_what_is_clear_is_taken(given: dict[str, Any], meant: dict[str, Any]) -> None:
    assert Settings(**given) == Settings(**meant)
    assert Settings.from_json(Settings(**given).to_json()) == Settings(**meant)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"objectives": 3}, "objectives is 3; give a tuple of names"),
        ({"objectives": None}, "objectives is None; give a tuple of names"),
        ({"budgets": "20k"}, "budgets is '20k'; give a tuple of numbers"),
        ({"budgets": 2.5}, r"budgets is 2.5; give a tuple of numbers"),
        ({"budgets": True}, "budgets is True; give a tuple of numbers"),
        ({"budgets": [20e3]}, "budget is 20000.0; it must be a whole number from 128"),
        ({"budgets": 200}, "3 rungs that grow by 4 would begin at 12 images"),
        ({"sampler": None}, "sampler is None; it must be one str"),
        ({"space": "wide"}, "space is 'wide'; it must be one SearchSpace"),
        ({"space": {"stem.width": 32}}, "stem.width is 32; give a list of at least one choice"),
        ({"start_from": "resnet"}, "'resnet' is not in the catalog"),
        ({"recipe": {}}, "recipe is {}; it must be one Recipe"),
        ({"device": "m3"}, "'m3' is no known device; choose one of: cortex-m4"),
        ({"device": 7}, "device is 7; it must be one Core"),
        ({"objectives": "accuracy,cycles"}, "cycles is an objective and no device is given; name"),
        ({"max_cycles": 10**6}, "cycles is limited and no device is given; name one of"),
    ],
)
def test_what_is_not_is_said(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings(**given)


def test_choices_are_a_mapping() -> None:
    with pytest.raises(ValueError, match="give choices by the names of dimensions"):
        SearchSpace(["stem.width"])  # type: ignore[arg-type]
