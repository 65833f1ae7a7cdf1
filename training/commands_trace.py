"""The command that tells what became of an order."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.command import JsonOption, WorkspaceOption, command, workspace_of

if TYPE_CHECKING:
    from features.trace import Trace
    from features.trace_lines import Version

FATES = {"kept": "kept", "replaced": "replaced by", "duplicate": "the same as", "cancelled": "cancelled: no purchase"}


@command("nothing was changed")
def trace(
    order: Annotated[str, typer.Argument(metavar="ORDER_ID", help="A source's order number, or source:number.")],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Tell what became of an order: each delivered line by file and row, and what was made of it.

    Kept, replaced and by which row, a duplicate, quarantined and why, cancelled, or counted as another system's
    order; whose it is and by which joins; its rows of the purchase history, where they are demand, and its returns.
    Rows count from 0 on, lines from 1 with the header.

    onebasket trace 26984896261

    onebasket trace app:20240301-77 --json
    """
    import tempfile
    from dataclasses import asdict
    from pathlib import Path

    from features.engine import engine_in
    from features.trace import trace as follow

    place = workspace_of(workspace)
    snapshot = place.snapshot()
    with tempfile.TemporaryDirectory(prefix="onebasket-") as scratch, engine_in(Path(scratch)) as engine:
        found = follow(engine, place, snapshot, order)
    if as_json:
        import json

        print(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False, default=str))
        return
    for one in found:
        _print(one)


def _print(found: "Trace") -> None:
    from training.printing import print_table

    print_table(
        f"order {found.order_id}",
        ["from", "line", "product", "location", "quantity", "amount", "ordered (UTC)", "what became of it"],
        [_version(one) for one in found.versions],
    )
    for line in _twin_lines(found):
        print(line)
    for customer in found.customers:
        print(f"account {customer.account_id} ({customer.channel}) is customer {customer.customer_id}")
        for join in customer.joins:
            print(f"  since {join['joined_on']}: {join['account_id']} and {join['via_account_id']} share the "
                  f"{join['kind']} {join['value_hash'][:12]}")  # fmt: skip
    _rows("in the purchase history", found.history, ("order_id", "product_id", "day", "location_id", "net_units",
          "net_amount", "gift", "demand_day", "demand_location_id"))  # fmt: skip
    _rows("is part of the demand of", found.demand, ("product_id", "location_id", "day", "sold_units",
          "returned_units", "gift_units"))  # fmt: skip
    _rows("returns", found.returns, ("order_id", "product_id", "day", "units", "amount", "sale_order_id", "sale_day",
          "matched_by", "reason"))  # fmt: skip


def _version(one: "Version") -> list[str]:
    when = f"{one.ordered_at:%Y-%m-%d %H:%M:%S}" if one.ordered_at else ""
    return [str(one.at), one.line_id, _text(one.product_id), _text(one.location_id), _text(one.quantity),
            _text(one.net_amount), when, _fate(one)]  # fmt: skip


def _fate(one: "Version") -> str:
    if one.by is not None:
        return f"{FATES[one.fate]} {one.by}"
    return FATES.get(one.fate, one.fate) + (f": {one.because}" if one.because else "")


def _twin_lines(found: "Trace") -> list[str]:
    said = []
    twin = found.twin
    if twin is not None and twin["kept_order_id"] is not None:
        said.append(f"counted as {twin['kept_order_id']} of {twin['kept_day']}: {twin['explanation']}")
    elif twin is not None:
        said.append(f"looked like another order, {twin['explanation']}")
    said += [f"stands for {row['order_id']} of {row['day']} too: {row['explanation']}" for row in found.stands_for]
    return said


def _rows(title: str, rows: tuple[dict[str, Any], ...], columns: tuple[str, ...]) -> None:
    from training.printing import print_table

    if rows:
        print_table(title, columns, [[_text(row[name]) for name in columns] for row in rows])


def _text(value: Any) -> str:
    """A figure as people write it: without the zeros behind it that a decimal type keeps."""
    from decimal import Decimal

    if value is None:
        return ""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
