"""Likeness laid beside the other evidence of an ingest: profiles of the snapshot's end, judged by strong evidence.

Splink learns from every profile, so its pairs count from the snapshot's last day on and never before: as of an earlier
day nothing is joined by likeness.
"""

from datetime import date
from typing import Any

import pyarrow as pa

from features.described import named
from features.engine import Engine
from features.errors import RecipeError
from features.evidence import EXCLUSIVE, STRENGTH
from features.expressions import literal
from features.identity import account_sql
from features.likeness import FIELDS, Likeness, likeness_of, splink_package
from features.resolution import REVIEW_COLUMNS, resolve
from features.sources import Intake
from features.zones import USUAL_DAYS, to_local

SURE = tuple(kind for kind, strength in STRENGTH.items() if strength == "strong")


def check_likeness(intake: Intake) -> None:
    """Raise RecipeError where the recipe asks for likeness and it cannot be had."""
    if not intake.identity.probabilistic:
        return
    splink_package()
    if not intake.of_table("profiles"):
        raise RecipeError(
            "identity.probabilistic links accounts whose profiles are alike, and no source fills profiles: add one, or "
            "leave it false"
        )


def likeness_by(engine: Engine, intake: Intake, decisions: Any | None, last_day: date) -> Likeness:
    """How alike the profiles known on `last_day` are, of the relations who_accounts, who_links and erased_accounts.

    Of several profiles of an account the latest counts. All is known on `last_day`, the day that Splink learnt up to.
    """
    local = to_local("known_at", intake.retailer.time_zone, USUAL_DAYS)
    account = account_sql(intake.identity)
    day = f"DATE '{last_day}'"
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE who_profiles AS SELECT {account} AS account_id, {', '.join(FIELDS)}, {day} AS "
        f"known_on FROM {named('profiles')} WHERE {account} IN (SELECT account_id FROM who_accounts) AND {account} NOT "
        f"IN (SELECT account_id FROM erased_accounts) AND coalesce(CAST({local} AS DATE), {day}) <= {day} QUALIFY "
        f"row_number() OVER (PARTITION BY {account} ORDER BY known_at DESC NULLS LAST, channel) = 1"
    )
    table = engine.ibis.table
    found = resolve(engine, table("who_accounts"), table("who_links"), decisions, intake.identity, last_day,
                    rounds=SURE, name="sure")  # fmt: skip
    customers = found.accounts.semi_join(table("who_profiles"), "account_id").select("customer_id").distinct()
    strong = engine.keep("sure_of_profiles", found.accounts.semi_join(customers, "customer_id"))
    kinds = ", ".join(map(literal, EXCLUSIVE))
    engine.run(
        "CREATE OR REPLACE TEMP VIEW exclusive_links AS SELECT DISTINCT account_id, kind, value_hash FROM who_links "
        f"WHERE kind IN ({kinds}) AND account_id IN (SELECT account_id FROM sure_of_profiles)"
    )
    return likeness_of(table("who_profiles").to_pyarrow(), strong.to_pyarrow(), table("exclusive_links").to_pyarrow())


def with_likeness(engine: Engine, likeness: Likeness) -> str:
    """The name of a relation with the links of who_links and those of likeness."""
    engine.ibis.create_table("likeness_links", likeness.links, temp=True, overwrite=True)
    engine.run(
        "CREATE OR REPLACE TEMP VIEW links_and_likeness AS SELECT account_id, kind, value_hash, linked_on FROM "
        "who_links UNION ALL SELECT account_id, kind, value_hash, linked_on FROM likeness_links"
    )
    return "links_and_likeness"


def reported(engine: Engine, review: Any, likeness: Likeness) -> Any:
    """The review with how precise likeness was."""
    types = review.schema().to_pyarrow()
    row = pa.Table.from_pylist([likeness.report], pa.schema([types.field(name) for name in REVIEW_COLUMNS]))
    engine.ibis.create_table("likeness_report", row, temp=True, overwrite=True)
    return review.union(engine.ibis.table("likeness_report").select(REVIEW_COLUMNS))
