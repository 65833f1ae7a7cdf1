"""The page of `onebasket report data`: the checks first, then a section per subject with its plots and tables."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from features.quality import Check, Report
from training.report_parts import Marked, bars, heading, lines, number, page, paragraph, percent, table

Figures = dict[str, Any]
MEASURES = (("amount", "money"), ("orders", "orders"), ("lines", "order lines"), ("units", "units"))
SHOWN_SIZES = 12


def data_page(report: Report) -> str:
    """The whole page as HTML."""
    about = report.figures["about"]
    title = f"Data of {about['retailer']}"
    verdict = f"{len(report.broken)} of {len(report.checks)} checks are broken" if report.broken else \
        f"all {len(report.checks)} checks hold"  # fmt: skip
    body = [
        heading(title, 1),
        paragraph(f"{about['first_day']} to {about['last_day']}, snapshot {about['version']}: {verdict}."),
        check_table(report.checks),
    ]
    for name, heading_text, draw in SECTIONS:
        body.append(heading(heading_text))
        if name in report.figures:
            body += list(draw(report.figures))
        else:
            body.append(paragraph(f"Nothing to show: {report.missing.get(name, 'it is not measured')}.", "note"))
    return page(title, body)


def check_table(checks: tuple[Check, ...]) -> str:
    rows = [[check.name, _verdict(check), measured_text(check), limit_text(check), check.where,
             f"quality.{check.setting}"] for check in checks]  # fmt: skip
    return table(["check", "", "measured", "limit", "where", "setting"], rows)


def _verdict(check: Check) -> Marked:
    if check.measured is None:
        return Marked("not measured", "note")
    return Marked("broken", "broken") if check.broken else Marked("ok", "ok")


def measured_text(check: Check) -> str:
    if check.measured is None:
        return ""
    return percent(check.measured) if check.setting.endswith("_share") else number(check.measured)


def limit_text(check: Check) -> str:
    limit = percent(check.limit) if check.setting.endswith("_share") else number(check.limit)
    return f"{'at least' if check.least else 'at most'} {limit}"


def _volume(figures: Figures) -> Iterator[str]:
    found, currency = figures["volume"], figures["about"]["currency"]
    yield '<div class="plots">'
    for key, name in MEASURES:
        series = {
            channel: {date.fromisoformat(row["day"]): row[key] for row in rows}
            for channel, rows in found["days"].items()
        }
        yield lines(f"{name} ({currency})" if key == "amount" and currency else name, series)
    yield "</div>"
    yield table(
        ["channel", "first day", "last day", "order lines", "orders", "units", "money", "units back", "money back"],
        [[row["channel"], row["first_day"], row["last_day"], row["lines"], row["orders"], row["units"], row["amount"],
          row["returned_units"], row["returned_amount"]] for row in found["channels"]],
    )  # fmt: skip


def _sources(figures: Figures) -> Iterator[str]:
    found = figures["sources"]
    yield table(
        ["source", "table", "files", "read", "kept", "quarantined", "duplicates", "of them replaced", "last day",
         "days behind"],
        [[row["source"], row["table"], row["files"], row["read"], row["kept"], row["quarantined"], row["duplicates"],
          row["replaced"], row["last_day"], row["days_behind"]] for row in found],
    )  # fmt: skip
    reasons = [(row["source"], reason) for row in found for reason in row["reasons"]]
    if not reasons:
        yield paragraph("No row was quarantined.", "note")
        return
    yield heading("Quarantined rows by reason", 3)
    yield bars((f"{source}: {reason['reason']}", reason["rows"])
               for source, reason in sorted(reasons, key=lambda one: (-one[1]["rows"], one[0])))  # fmt: skip
    yield heading("Examples", 3)
    yield table(
        ["source", "reason", "file", "row", "what it held"],
        [[source, reason["reason"], example["file"], _place(example), _values(example)]
         for source, reason in reasons for example in reason["examples"]],
    )  # fmt: skip


def _place(example: Figures) -> str:
    return f"line {example['line']}" if "line" in example else f"row {example['row']}"


def _values(example: Figures) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in example["values"].items())


def _overlaps(figures: Figures) -> Iterator[str]:
    found = figures["overlaps"]
    yield paragraph(f"{number(found['in_several_channels'])} of {number(found['customers'])} customers who bought did "
                    "so in more than one channel.")  # fmt: skip
    yield bars((" + ".join(row["channels"]), row["customers"]) for row in found["sets"])


def _twins(figures: Figures) -> Iterator[str]:
    found = figures["twins"]
    yield paragraph(f"{number(found['twins'])} orders are another system's too and count once; "
                    f"{number(found['undecided'])} looked like one and were left.")  # fmt: skip
    if found["pairs"]:
        yield table(
            ["dropped from", "kept in", "told by", "orders", "median seconds apart"],
            [[row["source"], row["kept_source"], row["evidence"], row["orders"], row["median_seconds_apart"]]
             for row in found["pairs"]],
        )  # fmt: skip
    if found["left"]:
        yield heading("Left undecided", 3)
        yield table(
            ["source", "why", "orders", "for example", "in words"],
            [[row["source"], row["reason"], row["orders"], row["order_id"], row["explanation"]]
             for row in found["left"]],
        )  # fmt: skip


def _identity(figures: Figures) -> Iterator[str]:
    found = figures["identity"]
    yield paragraph(f"{number(found['accounts'])} accounts are {number(found['customers'])} customers; "
                    f"{number(found['review'])} pieces of evidence are up for review "
                    "(onebasket identity review).")  # fmt: skip
    yield heading("Customers by their number of accounts", 3)
    few, many = found["sizes"][:SHOWN_SIZES], found["sizes"][SHOWN_SIZES:]
    rows = [(str(row["accounts"]), row["customers"]) for row in few]
    if many:
        rows.append((f"{many[0]['accounts']} to {many[-1]['accounts']}", sum(row["customers"] for row in many)))
    yield bars(rows)
    if found["evidence"]:
        joins = {row["kind"]: row["joins"] for row in found["joins"]}
        kinds = {row["kind"]: row for row in found["evidence"]}
        yield heading("Evidence", 3)
        yield table(
            ["kind", "accounts with it", "different values", "values of several accounts", "joins made"],
            [[kind, *(kinds.get(kind, {}).get(key, 0) for key in ("links", "values", "shared_values")),
              joins.get(kind, 0)] for kind in dict.fromkeys([*kinds, *joins])],
        )  # fmt: skip
    if found["likeness"]:
        alike = found["likeness"]
        yield heading("Likeness of profiles", 3)
        yield paragraph(f"{number(alike['accounts'])} accounts of {number(alike['customers'])} customers by strong "
                        f"evidence are alike: {alike['reason']}.")  # fmt: skip
    if found["cut"]:
        yield heading("Evidence that was cut", 3)
        yield table(["kind", "why", "values", "most accounts", "most customers"],
                    [[row["kind"], row["reason"], row["values"], row["most_accounts"], row["most_customers"]]
                     for row in found["cut"]])  # fmt: skip
    if found["largest"]:
        yield heading("Largest customers", 3)
        yield table(["customer", "accounts", "channels"],
                    [[row["customer_id"], row["accounts"], ", ".join(row["channels"])]
                     for row in found["largest"]])  # fmt: skip


def _returns(figures: Figures) -> Iterator[str]:
    found = figures["returns"]
    yield paragraph(f"{percent(found['matched_share'])} of {number(found['units'])} units given back are laid to "
                    "their sale.")  # fmt: skip
    yield table(
        ["laid by", "why not", "rows", "units", "money", "median days after the sale"],
        [[row["matched_by"], row["reason"], row["rows"], row["units"], row["amount"], row["median_days"]]
         for row in found["levels"]],
    )  # fmt: skip


def _gaps(figures: Figures) -> Iterator[str]:
    found, stray = figures["gaps"], figures["days"]["stray"]
    yield paragraph(f"{number(found['gaps_found'])} runs of days without a sale are improbable, in "
                    f"{number(found['locations_and_channels'])} pairs of location and channel; "
                    f"{number(found['ended'])} pairs have ended.")  # fmt: skip
    if found["gaps"]:
        yield table(["location", "channel", "first day", "last day", "days"],
                    [[row["location_id"], row["channel"], row["first_day"], row["last_day"], row["days"]]
                     for row in found["gaps"]])  # fmt: skip
    if stray:
        yield heading("Days far from all others", 3)
        yield table(["day", "order lines"], [[row["day"], row["lines"]] for row in stray])


def _late(figures: Figures) -> Iterator[str]:
    found = figures["late"]
    yield paragraph(f"{number(found['late'])} of {number(found['lines'])} order lines ({percent(found['share'])}) "
                    "came much later than the others of their file.")  # fmt: skip
    if found["late_by_lag"]:
        yield bars((row["lag"], row["lines"]) for row in found["late_by_lag"])
        yield table(["source", "order lines", "late"],
                    [[row["source"], row["lines"], row["late"]] for row in found["sources"]])  # fmt: skip


def _outliers(figures: Figures) -> Iterator[str]:
    found, units = figures["outliers"], figures["mixed_units"]
    yield paragraph(f"{number(units['in_several_units'])} of {number(units['products'])} products are sold in several "
                    "units.")  # fmt: skip
    if units["examples"]:
        yield table(["product", "lines by unit"],
                    [[row["product_id"], ", ".join(row["lines_by_unit"])] for row in units["examples"]])  # fmt: skip
    for what, name in (("quantity", "quantities"), ("price", "prices per unit")):
        yield heading(f"{name.capitalize()} far from usual", 3)
        yield paragraph(f"{number(found[what]['lines'])} of {number(found['lines'])} sale lines "
                        f"({percent(found[what]['share'])}).")  # fmt: skip
        if found[what]["examples"]:
            yield table(
                ["product", "unit", "day", "order", "location", what, "usual", "robust deviations"],
                [[row["product_id"], row["unit"], row["day"], row["order_id"], row["location_id"], row["value"],
                  row["usual"], round(row["distance"], 1)] for row in found[what]["examples"]],
            )  # fmt: skip


def _sold_out(figures: Figures) -> Iterator[str]:
    found = figures["sold_out"]
    yield paragraph(f"On {percent(found['share'])} of {number(found['product_days'])} days of a product in a location "
                    "it was sold out for a while: its sales are less than its demand.")  # fmt: skip
    share = {date.fromisoformat(row["day"]): 100 * row["sold_out"] / row["product_days"] for row in found["days"]}
    yield lines("sold out for a while, % of products and locations", {"sold out": share}, mean=True)


def _stockouts(figures: Figures) -> Iterator[str]:
    found = figures["stockouts"]
    yield paragraph(f"{number(found['suspected'])} of {number(found['product_days'])} days of a product in the "
                    f"{len(found['by_location'])} busiest of {number(found['locations'])} locations are part of a run "
                    "without a sale that is improbable. A flag to look at, no truth.")  # fmt: skip
    yield table(["location", "days of products", "suspected", "units probably missed"],
                [[row["location_id"], row["product_days"], row["suspected"], row["missed_units"]]
                 for row in found["by_location"]])  # fmt: skip
    if found["products"]:
        yield table(["product", "location", "days", "units probably missed"],
                    [[row["product_id"], row["location_id"], row["days"], row["missed_units"]]
                     for row in found["products"]])  # fmt: skip


SECTIONS: tuple[tuple[str, str, Callable[[Figures], Iterator[str]]], ...] = (
    ("volume", "Volume", _volume),
    ("sources", "Sources", _sources),
    ("overlaps", "Customers of several channels", _overlaps),
    ("twins", "Orders that two systems have", _twins),
    ("identity", "Who is who", _identity),
    ("returns", "Returns", _returns),
    ("gaps", "Gaps", _gaps),
    ("late", "Late data", _late),
    ("outliers", "Units and prices", _outliers),
    ("sold_out", "Sold out", _sold_out),
    ("stockouts", "Suspected stock-outs", _stockouts),
)
