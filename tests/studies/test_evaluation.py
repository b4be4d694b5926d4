"""Stored evaluations: rows read back as they were written, and equal identities are found."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.evaluation import Evaluation, Identity
from studies.store import Store, open_store

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=16)
FLOAT = st.floats(-1e9, 1e9)
IDENTITIES = st.builds(
    Identity,
    key=TEXT,
    recipe=st.dictionaries(TEXT, st.one_of(FLOAT, TEXT, st.integers(-(2**53), 2**53)), max_size=4),
    resolution=st.integers(1, 1024),
    channels=st.sampled_from((1, 3)),
    budget=st.integers(1, 10**7),
    seed=st.integers(0, 2**31 - 1),
    data=TEXT,
)
EVALUATIONS = st.builds(
    Evaluation,
    accuracy=st.none() | st.floats(0, 1),
    loss=st.none() | FLOAT,
    curve=st.lists(st.tuples(st.integers(0, 10**7), FLOAT, st.floats(0, 1)), max_size=4).map(tuple),
    seconds=st.floats(0, 1e6),
    images_per_second=st.floats(0, 1e6),
    host=TEXT,
    versions=st.dictionaries(TEXT, TEXT, max_size=3),
    failure=st.none() | TEXT,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    path: Path = tmp_path_factory.mktemp("store")
    store = open_store(f"sqlite:///{path}/a.db", create=True)
    store.create_tables()
    return store


@given(identity=IDENTITIES, evaluation=EVALUATIONS)
def test_what_is_stored_reads_back(
    store: Store, identity: Identity, evaluation: Evaluation
) -> None:
    first = store.evaluation(identity)
    store.add_evaluation(identity, evaluation)
    assert store.evaluation(identity) == (first or evaluation)
    other = replace(identity, seed=identity.seed + 2**31)
    assert store.evaluation(other) is None
    assert other.digest() != identity.digest()


@given(identity=IDENTITIES)
def test_an_identity_does_not_depend_on_the_order_of_its_recipe(identity: Identity) -> None:
    turned = replace(identity, recipe=dict(reversed(identity.recipe.items())))
    assert turned.digest() == identity.digest()
