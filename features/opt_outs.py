"""Which customers have refused personalisation, as of a day: whoever of their accounts said so."""

from datetime import date
from pathlib import Path
from tempfile import mkdtemp

import pyarrow as pa
import pyarrow.dataset as pads

from features.engine import engine_in
from features.expressions import literal
from features.identity import consents_of
from features.people import refusals
from features.sources import Identity
from features.workspace import Snapshot

NOBODY: frozenset[str] = frozenset()


def opted_out_as_of(snapshot: Snapshot, as_of: date, accounts: pa.Table) -> frozenset[str]:
    """The customers whose latest wish at the end of `as_of` is no personalisation.

    `accounts` says whose each account was on that day, as `accounts_as_of` gives it.
    """
    if not snapshot.holds("consents"):
        return NOBODY
    if not len(snapshot.read("consents", pads.field("wish") == "opt_out", ["wish"])):
        return NOBODY
    recipe = snapshot.facts["recipe"]
    with engine_in(Path(mkdtemp(prefix="onebasket-"))) as engine:
        engine.run(f"CREATE TEMP VIEW given AS SELECT * FROM read_parquet({literal(snapshot.files('consents'))})")
        engine.ibis.create_table("whose", accounts, temp=True)
        wishes = consents_of(
            engine.ibis.table("given"), Identity.model_validate(recipe["identity"]), recipe["retailer"]["time_zone"]
        )
        latest = refusals(wishes, engine.ibis.table("whose"), as_of)
        out: pa.Table = latest.filter(latest.refused).to_pyarrow()
    return frozenset(out["customer_id"].to_pylist())
