"""SQLAlchemy tables beside Optuna's, in the same database, and the version of their schema."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Double,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
)

VERSION = 3
"""Raised with every change of a table. A database of a newer version is refused.

An older one is read as it is, and upgraded when a study is run. Version 2 added ``EARLIER``,
version 3 ``DRIVERS``.
"""

METADATA = MetaData()

SCHEMA = Table("nas_schema", METADATA, Column("version", Integer, nullable=False))

STUDIES = Table(
    "nas_studies",
    METADATA,
    Column("name", String(255), primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("axes", JSON, nullable=False),
    Column("versions", JSON, nullable=False),
    Column("created", DateTime, server_default=func.now()),
)
"""What a study is about: its settings, its objectives as axes, the versions it was begun with."""

CANDIDATES = Table(
    "nas_candidates",
    METADATA,
    Column("key", String(32), primary_key=True),
    Column("candidate", JSON, nullable=False),
    Column("text", Text, nullable=False),
)
"""Every candidate proposed so far, once: its canonical JSON, and in words."""

EVALUATIONS = Table(
    "nas_evaluations",
    METADATA,
    Column("identity", String(64), primary_key=True),
    Column("key", String(32), nullable=False, index=True),
    Column("recipe", JSON, nullable=False),
    Column("resolution", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("budget", Integer, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("data", String(64), nullable=False),
    Column("accuracy", Float),
    Column("loss", Float),
    Column("curve", JSON, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("images_per_second", Float, nullable=False),
    Column("host", String(255), nullable=False),
    Column("versions", JSON, nullable=False),
    Column("failure", Text),
    Column("created", DateTime, server_default=func.now()),
)
"""Every evaluation, once. ``identity`` is a digest of the columns from ``key`` to ``data``."""

EARLIER = Table(
    "nas_earlier",
    METADATA,
    Column("study", String(255), primary_key=True),
    Column("key", String(32), primary_key=True),
    Column("budget", Integer, primary_key=True),
    Column("accuracy", Double, nullable=False),
)
"""What a study knows of those before it, since it began: accuracies of their candidates."""

DRIVERS = Table(
    "nas_drivers",
    METADATA,
    Column("study", String(255), primary_key=True),
    Column("token", String(32), nullable=False),
    Column("host", String(255), nullable=False),
    Column("machine", String(255), nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("since", DateTime, nullable=False),
    Column("beat", DateTime, nullable=False),
    Column("beats", BigInteger, nullable=False),
)
"""Who runs a study now, one row each: ``token`` is drawn anew by each driver.

``machine`` and ``started`` tell a process from others of its number: where such numbers count, and
clock ticks from that machine's start to the process's. ``beat`` is the last heartbeat, in UTC by
the database's clock; ``beats`` how many there were.
"""
