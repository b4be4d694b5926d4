"""Tests of the comparison in words: its figures are those of the measures, its claims hold."""

import re
from itertools import permutations

import pytest

from search_space.analysis.comparison import folklore
from search_space.analysis.measures import Measures, measure
from search_space.catalog import CATALOG
from search_space.graph import Sequence, linear

TEXTBOOK = ("alexnet", "vgg11", "nin", "googlenet")
MORAL = "fewer parameters do not mean less computation"
DEPTHWISE = (
    "No network here has depthwise convolutions: every convolution mixes all channels of its input."
)
PLAIN = measure(Sequence((("linear", linear(4, 2)),)), (1, 2, 2))


@pytest.fixture(scope="module")
def textbook() -> dict[str, Measures]:
    return {name: measure(CATALOG[name].graph(224, 3, 1000), (3, 224, 224)) for name in TEXTBOOK}


def made(params: int, macs: int, branches: int = 1) -> Measures:
    return PLAIN._replace(params=params, macs=macs, flops=2 * macs, branches=branches)


def test_the_textbook_question(textbook: dict[str, Measures]) -> None:
    sentences = folklore(textbook)
    assert sentences[:3] == [
        "vgg11 has 19 times the parameters of googlenet and does 4.8 times its multiply-adds.",
        "alexnet has 6.8 times the parameters of nin and does about as many multiply-adds.",
        "alexnet has 7.3 times the parameters of googlenet, yet googlenet does 1.6 times the "
        f"multiply-adds of alexnet: {MORAL}.",
    ]
    assert (
        "93 % of alexnet's parameters are in its linear layers, 5 % of its multiply-adds"
        in (sentences[3])
    )
    assert (
        "98 % of vgg11's multiply-adds are in its 3x3 convolutions, 7 % of its parameters"
        in (sentences[4])
    )
    assert sentences[5:] == [DEPTHWISE]


def test_figures_are_those_of_the_measures(textbook: dict[str, Measures]) -> None:
    """Every "x % of NAME's" is a share, and every "x times the parameters of" is a ratio."""
    text = " ".join(folklore(textbook))
    places = re.findall(r"(\d+) % of (\w+)'s (parameters|multiply-adds) are in its ([^,]+),", text)
    assert len(places) == 7
    for percent, name, what, layers in places:
        kind = f"conv {layers.split()[0]}" if "convolution" in layers else "linear"
        share = textbook[name].shares[kind][what == "multiply-adds"]
        assert int(percent) == round(100 * share)
        assert share == max(
            pair[what == "multiply-adds"] for pair in textbook[name].shares.values()
        )
    ratios = re.findall(r"(\w+) has ([\d.]+) times the parameters of (\w+)", text)
    assert len(ratios) == 3
    for more, ratio, fewer in ratios:
        exact = textbook[more].params / textbook[fewer].params
        assert float(ratio) == pytest.approx(exact, rel=0.03)


def test_names_and_order_do_not_matter(textbook: dict[str, Measures]) -> None:
    renamed = {f"n{index}": textbook[name] for index, name in enumerate(TEXTBOOK)}
    expected = [
        re.sub("|".join(TEXTBOOK), lambda m: f"n{TEXTBOOK.index(m[0])}", sentence)
        for sentence in folklore(textbook)
    ]
    assert folklore(renamed) == expected
    for order in permutations(TEXTBOOK):
        shuffled = folklore({name: textbook[name] for name in order})
        assert shuffled[:3] == folklore(textbook)[:3]
        assert len(shuffled) == 6


def test_the_moral_is_drawn_only_where_the_figures_say_so() -> None:
    assert MORAL in " ".join(folklore({"a": made(100, 10), "b": made(10, 100)}))
    for a, b in (
        (made(100, 100), made(10, 10)),
        (made(100, 10), made(10, 10)),
        (made(100, 10), made(99, 100)),
        (made(100, 100), made(10, 104)),
    ):
        assert MORAL not in " ".join(folklore({"a": a, "b": b}))


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ((100, 100), (10, 50), "a has 10 times the parameters of b and does 2.0 times its"),
        ((100, 100), (98, 101), "a has about as many parameters as b and does about as many"),
        ((100, 10), (99, 100), "a has about as many parameters as b, yet b does 10 times the"),
        ((123456, 5), (1, 5), "a has 123,456 times the parameters of b and does about as many"),
    ],
)
def test_pairs_in_words(a: tuple[int, int], b: tuple[int, int], words: str) -> None:
    assert folklore({"b": made(*b), "a": made(*a)})[0].startswith(words)


def test_the_strongest_contradiction_is_among_the_pairs() -> None:
    networks = {
        "first": made(1000, 1000),
        "second": made(900, 10),
        "third": made(800, 11),
        "fourth": made(100, 900),
        "fifth": made(90, 20),
    }
    text = " ".join(folklore(networks))
    assert "second has 9.0 times the parameters of fourth, yet fourth does 90 times" in text
    assert "first has 11 times the parameters of fifth and does 50 times" in text


def test_depthwise_convolutions_are_spoken_of_where_branches_are_joined() -> None:
    assert folklore({"a": made(10, 10, 4), "b": made(5, 5)})[-1] == DEPTHWISE
    assert DEPTHWISE not in folklore({"a": made(10, 10), "b": made(5, 5)})


def test_one_network_or_none() -> None:
    assert folklore({}) == []
    assert folklore({"a": PLAIN}) == [
        "100 % of a's parameters are in its linear layers, 100 % of its multiply-adds."
    ]


def test_no_share_is_rounded_to_none_or_all() -> None:
    shares = {"linear": (0.999, 0.001), "conv 1x1": (0.001, 0.999)}
    assert folklore({"a": PLAIN._replace(shares=shares)}) == [
        "over 99 % of a's parameters are in its linear layers, under 1 % of its multiply-adds.",
        "over 99 % of a's multiply-adds are in its 1x1 convolutions, under 1 % of its parameters.",
    ]


def test_a_network_without_weights_is_compared_with_nothing() -> None:
    nothing = PLAIN._replace(params=0, macs=0, flops=0, shares={})
    assert folklore({"a": nothing}) == []
    assert folklore({"a": nothing, "b": nothing}) == []
    assert len(folklore({"a": nothing, "b": PLAIN})) == 1
    assert "a" not in folklore({"a": nothing, "b": PLAIN, "c": PLAIN})[0].split()


def test_many_networks_are_few_sentences() -> None:
    measured = {name: measure(e.graph(96, 3, 10), (3, 96, 96)) for name, e in CATALOG.items()}
    assert 4 <= len(folklore(measured)) <= 6
