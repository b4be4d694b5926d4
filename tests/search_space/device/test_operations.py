"""Operations of small graphs by hand: what is folded, what lies where, what is overwritten."""

from search_space.device.arena import arena
from search_space.device.flash import flash
from search_space.device.operations import (
    ADD,
    AFFINE,
    CONV,
    COPY,
    GLOBAL_POOL,
    MAX_POOL,
    Operations,
    operations,
)
from search_space.graph import (
    IDENTITY,
    Add,
    Concat,
    Node,
    Sequence,
    batch_norm,
    conv,
    dropout,
    global_pool,
    linear,
    pool,
    relu,
    scale,
)

IMAGE = (1, 4, 4)


def of(**children: Node) -> Operations:
    return operations(Sequence(tuple(children.items())), IMAGE)


def kinds(given: Operations) -> list[str]:
    return [one.kind for one in given.operations]


def test_what_follows_a_convolution_is_folded_into_it() -> None:
    given = of(c=conv(1, 8, (3, 3)), b=batch_norm(8), s=scale(0.3), r=relu(), d=dropout(0.5))
    (one,) = given.operations
    assert (one.kind, one.relu) == (CONV, True)
    assert [name for name, _ in one.layers] == ["c", "b", "s", "r"]
    assert arena(given).bytes == 8 * 16
    assert flash(given, 0).weights == 8 * 9
    assert flash(given, 0).biases == 8 * 9


def test_after_a_relu_nothing_is_folded_and_the_map_is_overwritten() -> None:
    given = of(c=conv(1, 8, (3, 3)), r=relu(), b=batch_norm(8), r2=relu())
    assert kinds(given) == [CONV, AFFINE]
    first, second = given.operations
    assert given.places[first.output].buffer == given.places[second.output].buffer
    assert arena(given).bytes == 8 * 16
    assert flash(given, 0).weights == 8 * 9 + 8 * 4


def test_branches_write_into_their_concatenation() -> None:
    inner = Concat((("1x3", conv(8, 4, (1, 3))), ("3x1", conv(8, 4, (3, 1)))))
    block = Concat((("a", conv(8, 2, (1, 1))), ("b", inner), ("p", pool("max", 1))))
    given = of(stem=conv(1, 8, (3, 3)), block=block)
    assert kinds(given) == [CONV, CONV, CONV, CONV, MAX_POOL]
    places = [given.places[one.output] for one in given.operations[1:]]
    assert len({place.buffer for place in places}) == 1
    assert [place.channel for place in places] == [0, 2, 6, 10]
    assert given.buffers[places[0].buffer] == (18, 4, 4)
    assert arena(given).bytes == (8 + 18) * 16


def test_an_input_that_is_a_part_of_its_own_concatenation_is_copied() -> None:
    given = of(stem=conv(1, 8, (3, 3)), block=Concat((("a", IDENTITY), ("b", conv(8, 2, (1, 1))))))
    assert kinds(given) == [CONV, CONV, COPY]


def test_a_sum_overwrites_the_path_and_its_relu_is_folded() -> None:
    path = Sequence((("c", conv(8, 8, (3, 3))), ("s", scale(0.2))))
    total = Add((("path", path), ("shortcut", IDENTITY)))
    given = of(stem=conv(1, 8, (3, 3)), add=total, r=relu())
    assert kinds(given) == [CONV, CONV, ADD]
    path_made, sum_made = given.operations[1:]
    assert sum_made.relu
    assert given.places[path_made.output] == given.places[sum_made.output]
    assert arena(given).bytes == 2 * 8 * 16


def test_the_head() -> None:
    given = of(stem=conv(1, 8, (3, 3)), pool=global_pool(), linear=linear(8, 10))
    assert kinds(given) == [CONV, GLOBAL_POOL, CONV]
    assert flash(given, 100).weights == 8 * 9 + 8 * 10
    assert flash(given, 100).table == 3 * 56 + 512
    assert flash(given, 100).total == flash(given, 0).constants + 100
