"""Accounts whose profiles are alike, by Splink (the extra `splink`; only where identity.probabilistic says so).

Splink fits the Fellegi-Sunter model: how much rarer it is that two people agree by chance in a field than that one
person does. It sees keyed hashes only, so a field agrees or it does not, and a rare name weighs more than a common one.
"""

import hashlib
import logging
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import RecipeError
from features.evidence import EXCLUSIVE

FIELDS = ("family_name", "given_name", "birth_date", "postcode", "street")
NAMES = ("family_name", "given_name")
LEAST_PROBABILITY = 0.95
FEWEST_PROFILES = 100  # of fewer, nothing can be learnt
FEWEST_JUDGED = 30  # pairs that strong evidence judges, before likeness is believed
LEAST_PRECISION = 0.98
RANDOM_PAIRS = 1_000_000
REPORTED = "precision"  # stands for a value in the one row of identity_review that is about likeness as a whole


@dataclass(frozen=True)
class Likeness:
    """Pairs of accounts that are alike, and how often strong evidence agrees.

    links: (account_id, kind 'likeness', value_hash, linked_on), two rows per pair, for `resolve` beside the others;
    none where likeness is not to be believed. accounts and customers: of the pairs, the customers by strong evidence.
    judged: pairs of which strong evidence says that they are one person or two; right: those of them that are one.
    report: a row for identity_review.
    """

    links: pa.Table
    pairs: int
    accounts: int
    customers: int
    judged: int
    right: int

    @property
    def precision(self) -> float | None:
        return self.right / self.judged if self.judged else None

    @property
    def believed(self) -> bool:
        return self.judged >= FEWEST_JUDGED and self.right >= LEAST_PRECISION * self.judged

    @property
    def report(self) -> dict[str, Any]:
        shown = "unknown" if self.precision is None else f"{self.precision:.4f}"
        verdict = "used" if self.believed else f"not used: it takes {FEWEST_JUDGED} pairs and {LEAST_PRECISION}"
        return {
            "kind": "likeness", "value_hash": REPORTED, "accounts": self.accounts, "customers": self.customers,
            "reason": f"precision {shown} on {self.judged} pairs that strong evidence judges, of {self.pairs}; "
            f"{verdict}", "sample": [],
        }  # fmt: skip


def likeness_of(profiles: pa.Table, strong: pa.Table, exclusive: pa.Table) -> Likeness:
    """Find the accounts that are alike, and judge the pairs by strong evidence.

    `profiles` (account_id, FIELDS, known_on): one row per account, known as of the day, hashed or null; `strong`
    (account_id, customer_id) of a resolution with strong evidence alone; `exclusive` (account_id, kind, value_hash)
    the strong links of kinds that one person has one of, both of all accounts of the customers with a profile: who is
    another person may be told by an account without one. Deterministic for the set of profiles.
    """
    pairs = likely_pairs(profiles) if profiles.num_rows >= FEWEST_PROFILES else []
    customer = dict(zip(strong["account_id"].to_pylist(), strong["customer_id"].to_pylist(), strict=True))
    carried = _carried(exclusive, customer)
    same = [customer.get(a, a) == customer.get(b, b) for a, b in pairs]
    other = [
        not one and any(carried.get((customer.get(a), kind), set()) and carried.get((customer.get(b), kind), set())
                        for kind in EXCLUSIVE if kind != "openid")
        for one, (a, b) in zip(same, pairs, strict=True)
    ]  # fmt: skip
    accounts = {account for pair in pairs for account in pair}
    customers = {customer.get(account, account) for account in accounts}
    found = Likeness(
        _links([], {}), len(pairs), len(accounts), len(customers), judged=sum(same) + sum(other), right=sum(same)
    )
    if not found.believed:
        return found
    known = dict(zip(profiles["account_id"].to_pylist(), profiles["known_on"].to_pylist(), strict=True))
    return replace(found, links=_links(pairs, known))


def _carried(exclusive: pa.Table, customer: dict[str, str]) -> dict[tuple[str | None, str], set[str]]:
    carried: dict[tuple[str | None, str], set[str]] = {}
    for row in exclusive.to_pylist():
        carried.setdefault((customer.get(row["account_id"]), row["kind"]), set()).add(row["value_hash"])
    return carried


def _links(pairs: list[tuple[str, str]], known: dict[str, Any]) -> pa.Table:
    rows = [
        {"account_id": account, "kind": "likeness", "value_hash": hashlib.sha256(f"{a}\0{b}".encode()).hexdigest(),
         "linked_on": known.get(account)}
        for a, b in pairs for account in (a, b)
    ]  # fmt: skip
    text = pa.string()
    schema = {"account_id": text, "kind": text, "value_hash": text, "linked_on": pa.date32()}
    return pa.Table.from_pylist(rows, pa.schema(schema))


def likely_pairs(profiles: pa.Table) -> list[tuple[str, str]]:
    """Pairs of accounts that are one person with a probability of at least LEAST_PROBABILITY, sorted.

    None where nothing can be learnt: a field that no two accounts share, or that is always empty.
    """
    linker = _linker(profiles)
    from splink.internals.exceptions import SplinkException

    try:
        _train(linker)
        found = linker.inference.predict(threshold_match_probability=LEAST_PROBABILITY)
    except (SplinkException, ValueError):  # its logarithm of nothing
        return []
    rows = found.as_duckdbpyrelation().to_arrow_table()
    left, right = rows["unique_id_l"].to_pylist(), rows["unique_id_r"].to_pylist()
    return sorted((min(pair), max(pair)) for pair in zip(left, right, strict=True))


def _train(linker: Any) -> None:
    train, block_on = linker.training, splink_package().block_on
    sure = [block_on("family_name", "given_name", "birth_date"), block_on("given_name", "birth_date", "street")]
    train.estimate_probability_two_random_records_match(sure, recall=0.6)
    train.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=1)
    for held in (block_on("birth_date"), block_on(*NAMES)):
        train.estimate_parameters_using_expectation_maximisation(held)


def _linker(profiles: pa.Table) -> Any:
    splink = splink_package()
    import duckdb
    import splink.comparison_library as compare

    rows = profiles.select(["account_id", *FIELDS]).rename_columns(["unique_id", *FIELDS])
    rows = rows.take(pc.sort_indices(rows, sort_keys=[("unique_id", "ascending")]))
    # one thread adds up in one order, so that the same profiles give the same pairs
    engine = splink.DuckDBAPI(duckdb.connect(config={"threads": 1}))
    settings = splink.SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            *(compare.ExactMatch(name).configure(term_frequency_adjustments=True) for name in NAMES),
            *(compare.ExactMatch(name) for name in FIELDS if name not in NAMES),
        ],
        blocking_rules_to_generate_predictions=[
            splink.block_on(*NAMES), splink.block_on("birth_date"), splink.block_on("street"),
        ],
        retain_matching_columns=False,
    )  # fmt: skip
    logging.getLogger("splink").setLevel(logging.ERROR)  # what it cannot learn shows in the precision
    return splink.Linker(engine.register(rows, dataset_display_name="profiles"), settings, log_level=None)


def splink_package() -> Any:
    """The package; raises RecipeError where it is not installed."""
    try:
        import splink
    except ImportError as fault:
        raise RecipeError(
            "identity.probabilistic needs the package splink: pip install 'onebasket[splink]', or leave it false"
        ) from fault
    return splink
