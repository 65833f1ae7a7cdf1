"""The command that shows who is who, and lets people decide where evidence cannot."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from training.command import JsonOption, WorkspaceOption, command, workspace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.workspace import Workspace

WHO: dict[str, tuple[int, int]] = {"show": (1, 1), "review": (0, 0), "log": (0, 1), "merge": (2, 99), "split": (1, 1)}
Action = Literal["show", "review", "log", "merge", "split"]


@command("nothing was changed, unless it said that the decision is noted")
def identity(
    action: Annotated[Action, typer.Argument(help="show, review, log, merge or split.")],
    who: Annotated[list[str] | None, typer.Argument(metavar="ACCOUNT|CUSTOMER", help="Accounts or customers.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept with the decision.", show_default=False)
    ] = None,
    author: Annotated[
        str | None,
        typer.Option("--author", metavar="NAME", help="Who decides [default: your login].", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows of review and log to print.")] = 50,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show which accounts are one customer and why; merge or split them by decision.

    show: a customer's accounts and what joined them. review: evidence that was cut because it would join several
    people. log: the joins, the latest first. merge and split note a decision that every later ingest replays; split
    takes an account out of all evidence, and undoes an earlier merge of it.

    onebasket identity show app:1234

    onebasket identity merge app:1234 pos:77 --reason "asked at the counter"

    onebasket identity split pos:77 --reason "her son's card"
    """
    place, given = workspace_of(workspace), who or []
    _check(action, given, reason)
    if action in ("merge", "split"):
        _decide(place, "together" if action == "merge" else "apart", given, reason or "", author)
        return
    answer = _answer(place, action, given, limit)
    if as_json:
        import json

        print(json.dumps(answer, indent=1, ensure_ascii=False, default=str))
    else:
        _print(action, answer)


def _check(action: Action, who: "Sequence[str]", reason: str | None) -> None:
    from features.errors import RecipeError

    least, most = WHO[action]
    if not least <= len(who) <= most:
        wanted = f"{least}" if least == most else f"{least} or more" if most > 1 else "at most one"
        raise RecipeError(f"identity {action} takes {wanted} account or customer, not {len(who)}: {' '.join(who)}")
    if action in ("merge", "split") and not (reason or "").strip():
        raise RecipeError(f'identity {action} needs a reason, for those who ask later: --reason "…"')


def _decide(
    place: "Workspace", action: Literal["together", "apart"], who: "Sequence[str]", reason: str, author: str | None
) -> None:
    from datetime import UTC, datetime

    from features.decisions import Decision, append, decisions_file
    from features.personal import hidden
    from training.identity_answers import stored_name

    with place.writing(f"identity {action}"):
        snapshot = place.snapshot()
        known = tuple(stored_name(snapshot, account) for account in who)
        why = hidden(reason, snapshot.facts.get("retailer", {}).get("country"))
        made = Decision(datetime.now(UTC), author or _login(), action, known, why, snapshot.last_day)
        append(place, made)
    print(f"noted in {decisions_file(place)}: {', '.join(known)} {action}; it holds from the next onebasket ingest on")


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _answer(place: "Workspace", action: Action, who: "Sequence[str]", limit: int) -> Any:
    from training.identity_answers import card_of, log_of, review_of

    snapshot = place.snapshot()
    if action == "show":
        return card_of(snapshot, who[0])
    rows = review_of(snapshot) if action == "review" else log_of(snapshot, who[0] if who else None)
    return rows[:limit]


def _print(action: Action, answer: Any) -> None:
    if action == "show":
        _print_card(answer)
    elif action == "review":
        _print_rows("evidence for review", answer, ("kind", "value_hash", "accounts", "customers", "reason", "sample"))
    else:
        _print_joins("joins", answer)


def _print_card(card: dict[str, Any]) -> None:
    facts = {"first purchase": card.get("first_purchase_on"), "last purchase": card.get("last_purchase_on")}
    said = [f"{name} {day}" for name, day in facts.items() if day]
    said += ["opted out"] if card.get("opted_out") else []
    title = f"customer {card['customer_id']}" + "".join(f", {part}" for part in said)
    _print_rows(title, card["accounts"], ("account_id", "channel", "first_day"))
    if card["joins"]:
        _print_joins("what joined them", card["joins"])
    if card["held_back"]:
        _print_rows("what did not join", card["held_back"], ("kind", "value_hash", "accounts", "customers", "reason"))


def _print_joins(title: str, rows: list[dict[str, Any]]) -> None:
    _print_rows(title, rows, ("joined_on", "account_id", "via_account_id", "kind", "value_hash", "customer_id_after"))


def _print_rows(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    from training.printing import print_table

    print_table(title, columns, [[_cell(name, row[name]) for name in columns] for row in rows])


def _cell(name: str, value: Any) -> str:
    if name == "value_hash":
        return str(value)[:12]  # enough to tell values apart
    return " ".join(value) if isinstance(value, list) else str(value)
