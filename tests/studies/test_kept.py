"""What a trial keeps: a record that reads back as it was written, whichever version wrote it."""

import json
from typing import Any

import optuna
from hypothesis import given
from hypothesis import strategies as st

from studies.kept import DEFAULTS, NAMES, Kept, keep

TEXT = st.text(min_size=1, max_size=20)
COUNT = st.integers(0, 10**12)
FRACTION = st.floats(0, 1, allow_nan=False)
OTHERS = st.dictionaries(
    TEXT.filter(lambda name: name not in NAMES),
    st.one_of(st.none(), st.integers(), TEXT, st.lists(st.integers())),
    max_size=3,
)
RECORDS = st.builds(
    Kept,
    architecture=st.just("") | TEXT,
    key=st.just("") | TEXT,
    params=st.none() | COUNT,
    flops=st.none() | COUNT,
    activation_bytes=st.none() | COUNT,
    latency=st.none() | st.floats(1e-9, 3600),
    catalog=st.none() | TEXT,
    rungs=st.lists(FRACTION, max_size=5).map(tuple),
    seconds=st.none() | st.floats(0, 1e6),
    stopped=st.none() | TEXT,
    failure=st.none() | TEXT,
    lost_workers=st.lists(TEXT, max_size=2).map(tuple),
    others=OTHERS,
)


@given(RECORDS)
def test_what_is_stored_reads_back(kept: Kept) -> None:
    stored = json.loads(json.dumps(kept.to_attributes()))
    assert Kept.from_attributes(stored) == kept
    assert all(stored[name] != DEFAULTS[name] for name in stored.keys() & set(NAMES))


@given(st.lists(RECORDS, min_size=1, max_size=4))
def test_what_changes_is_written_under_the_fields_names(records: list[Kept]) -> None:
    trial = optuna.create_study().ask()
    kept = Kept()
    for record in records:
        given = {name: getattr(record, name) for name in NAMES}
        changes = {name: value for name, value in given.items() if value != DEFAULTS[name]}
        kept = keep(trial, kept, **changes)
    assert trial.user_attrs == kept.to_attributes()


def test_the_stored_form_is_that_of_version_0_1() -> None:
    stored: dict[str, Any] = {
        "architecture": "stem 3x3/2 8; 1 x [1x1 16]",
        "key": "0123456789abcdef",
        "params": 818,
        "flops": 41088,
        "activation_bytes": 3136,
        "rungs": [0.7, 0.75],
        "seconds": 3.25,
        "stopped": "at 5,000 images: may reach 80.00%; 85.00% is there at no more cost",
    }
    assert Kept.from_attributes(stored).to_attributes() == stored
    assert list(Kept.from_attributes(stored).costs) == ["params", "flops", "activation_bytes"]
