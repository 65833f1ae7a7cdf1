"""The six exports: what each system writes, in its own columns, words, clock and file format."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from training.sample import numbers
from training.sample.arrow_text import clock, exact, join, named, text, utc_text
from training.sample.people import APP, GROUP, GUEST, LIVE, MINI, POS, SHOP
from training.sample.plan import LOCAL_SECONDS
from training.sample.records import REFUND, RETURN, Exported
from training.sample.world import World

Array = npt.NDArray[Any]
SKU_OFFSET = 700_000  # the app's own numbers


@dataclass(frozen=True)
class Stream:
    """One file a day: its folder, the beginning and the end of its names, and how it is written."""

    folder: str
    prefix: str
    ending: str
    kind: Literal["text", "gzip", "parquet"]
    encoding: str = "utf-8"
    header: str = ""


STREAMS = {
    "pos": Stream("pos", "pos-", ".csv", "text", "gbk",
                  "小票号,行号,门店,收银时间,商品编码,数量,单位,实收金额,优惠金额,会员卡号,外部单号,原小票号,更新时间\n"),
    "app": Stream("app", "app-", ".jsonl", "text"),
    "mini_program": Stream("mini_program", "mini-", ".csv", "text", "utf-8",
                           "订单号,行号,openid,商品编码,数量,单位,实付金额,优惠金额,下单时间,门店名称,配送方式,订单状态,更新时间\n"),
    "ecommerce_orders": Stream("ecommerce", "orders-", ".csv.gz", "gzip", "utf-8",
                               "order_id,buyer_id,created,ship_from,currency\n"),
    "ecommerce": Stream("ecommerce", "items-", ".csv.gz", "gzip", "utf-8",
                        "item_id,order_id,seller_sku,quantity,uom,paid,discount,status,refunded,refund_of,modified\n"),
    "group_buy": Stream("group_buy", "group-", ".csv", "text", "utf-8",
                        "order_no;line_no;member;product;quantity;unit;paid;discount;ordered;pickup;pickup_store;state\n"),
    "live": Stream("live", "live-", ".parquet", "parquet"),
}  # fmt: skip
UNIT_WORDS = {
    POS: ("件", "公斤", "斤", "", ""),
    MINI: ("件", "公斤", "斤", "", ""),
    APP: ("ea", "kg", "", "", ""),
    GROUP: ("each", "kg", "", "case", "dozen"),
    SHOP: ("PCS", "KG", "", "", ""),
    LIVE: ("each", "kg", "", "", ""),
}  # by index into UNITS
Part = Any  # bytes of a text file, or an Arrow table of a parquet file


def encode(world: World, system: int, rows: Exported) -> dict[str, Part]:
    """The rows as parts of the system's files, without headers."""
    return ENCODERS[system](world, rows)


def encode_apart(world: World, system: int, rows: Exported, bounds: list[int]) -> list[dict[str, Part]]:
    """The same for runs of rows, between each two of `bounds`; written at once and cut apart, which is faster."""
    runs = list(pairwise(bounds))
    if system == SHOP:  # its headers are fewer than its rows
        return [encode(world, system, rows.take(slice(first, last))) for first, last in runs]
    if not runs:
        return []
    [(stream, part)] = encode(world, system, rows).items()
    if not isinstance(part, bytes):
        return [{stream: part.slice(first, last - first)} for first, last in runs]
    ends = np.concatenate([[0], np.flatnonzero(np.frombuffer(part, np.uint8) == ord("\n")) + 1])
    return [{stream: part[ends[first] : ends[last]]} for first, last in runs]


def _csv(columns: list[Any], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    table = pa.table(columns, names=[str(number) for number in range(len(columns))])
    out = io.BytesIO()
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none", delimiter=delimiter)
    pa.csv.write_csv(table, out, options)
    written = out.getvalue()
    return written if encoding == "utf-8" else written.decode().encode(encoding)


def _whole(values: Array) -> Any:
    return pa.array(values.astype(np.int32))


def _words(flags: Array, no: str, yes: str) -> Any:
    return named(flags.astype(np.int32), [no, yes])


def _plain(column: Any) -> Any:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _pos(world: World, rows: Exported) -> dict[str, Part]:
    return {"pos": _csv([_plain(column) for column in (
        numbers.order_text(POS, rows), _whole(rows.line), named(rows.location, world.places.codes), clock(rows.at),
        numbers.product_text(world, rows.product), numbers.quantity(world, rows), named(rows.unit, UNIT_WORDS[POS]),
        exact(rows.fen, 2), exact(rows.discount, 2), numbers.account_text(world, rows.account),
        numbers.platform_order_text(rows.external), numbers.sale_order_text(POS, rows), clock(rows.stamp),
    )], encoding="gbk")}  # fmt: skip


def _app(world: World, rows: Exported) -> dict[str, Part]:
    """JSON lines; a guest has a device instead of a member number."""
    if not len(rows):
        return {"app": b""}
    guest = pa.array(np.append(world.people.account_kind, -1)[rows.account] == GUEST)
    account = numbers.account_text(world, rows.account)
    nothing = pa.scalar(None, pa.string())
    sold = rows.kind != RETURN
    written = _json({
        "order_no": _quoted(numbers.order_text(APP, rows)), "line": text(_whole(rows.line)),
        "member": _quoted(pc.if_else(guest, nothing, account)), "device": _quoted(pc.if_else(guest, account, nothing)),
        "sku": _quoted(named(rows.product, app_skus(world))), "qty": text(numbers.quantity(world, rows)),
        "unit": _quoted(named(rows.unit, UNIT_WORDS[APP])), "pay_fen": text(pa.array(rows.fen)),
        "discount_fen": text(pa.array(rows.discount)), "created": _quoted(utc_text(rows.at)),
        "store": _quoted(named(rows.location, world.places.codes)),
        "mode": _quoted(_words(rows.delivery, "pickup", "home")),
        "state": _quoted(named(np.where(rows.cancelled, 1, np.where(sold, 0, 2)), ["paid", "cancelled", "returned"])),
        "refund_of": _quoted(numbers.sale_order_text(APP, rows)),
        "refund_line": _quoted(numbers.sale_line_text(APP, rows)),
        "updated": _quoted(utc_text(rows.stamp)),
    })  # fmt: skip
    return {"app": written}


def _quoted(column: Any) -> Any:
    return pc.fill_null(join('"', _plain(column), '"'), "null")


def _json(columns: dict[str, Any]) -> bytes:
    parts: list[Any] = []
    for number, (name, column) in enumerate(columns.items()):
        parts += [f'{"{" if number == 0 else ","}"{name}":', column]
    lines = join(*parts, "}\n")
    offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
    return bytes(lines.buffers()[2][int(offsets[0]) : int(offsets[-1])])


def app_skus(world: World) -> list[str]:
    """The app's own product numbers."""
    return [f"{SKU_OFFSET + 3 * number}" for number in range(len(world.goods.codes))]


def _mini(world: World, rows: Exported) -> dict[str, Part]:
    return {"mini_program": _csv([_plain(column) for column in (
        numbers.order_text(MINI, rows), _whole(rows.line), numbers.account_text(world, rows.account),
        numbers.product_text(world, rows.product), numbers.quantity(world, rows), named(rows.unit, UNIT_WORDS[MINI]),
        exact(rows.fen, 2), exact(rows.discount, 2), clock(rows.at), named(rows.location, world.places.names),
        _words(rows.delivery, "自提", "配送"), _words(rows.cancelled, "已完成", "已取消"), clock(rows.stamp),
    )])}  # fmt: skip


def seller_skus(world: World) -> list[str]:
    """The platform's product codes."""
    return [f"OB-{chr(65 + number % 26)}{number:04d}" for number in range(len(world.goods.codes))]


def ship_from(world: World) -> list[str]:
    """The platform's names of the locations."""
    return [f"SHOP-{code[1:]}" if code.startswith("S") else f"WH-{code}" for code in world.places.codes]


def _platform(world: World, rows: Exported) -> dict[str, Part]:
    order = numbers.order_text(SHOP, rows)
    items = _csv([_plain(column) for column in (
        numbers.line_text(SHOP, rows, order), order, named(rows.product, seller_skus(world)),
        numbers.quantity(world, rows), named(rows.unit, UNIT_WORDS[SHOP]), exact(rows.fen, 2), exact(rows.discount, 2),
        _words(rows.cancelled, "FINISHED", "CLOSED"), clock(np.where(gives(rows), rows.at, -1)),
        numbers.sale_line_text(SHOP, rows), clock(rows.stamp),
    )])  # fmt: skip
    own = ~gives(rows)
    _, first = np.unique(rows.number[own], return_index=True)
    heads = rows.take(np.flatnonzero(own)[first])
    headers = _csv([_plain(column) for column in (
        numbers.order_text(SHOP, heads), numbers.account_text(world, heads.account), clock(heads.at),
        named(heads.location, ship_from(world)), _words(heads.usd, "CNY", "USD"),
    )])  # fmt: skip
    return {"ecommerce_orders": headers, "ecommerce": items}


def gives(rows: Exported) -> Array:
    """Whether a line is about money or goods that go back."""
    return np.isin(rows.kind, (RETURN, REFUND))


def _group(world: World, rows: Exported) -> dict[str, Part]:
    return {"group_buy": _csv([_plain(column) for column in (
        numbers.order_text(GROUP, rows), _whole(rows.line), numbers.account_text(world, rows.account),
        numbers.product_text(world, rows.product), numbers.quantity(world, rows), named(rows.unit, UNIT_WORDS[GROUP]),
        exact(rows.fen, 2), exact(rows.discount, 2), clock(rows.at), clock(rows.picked_up_at),
        named(rows.picked_up_in, world.places.codes), _words(rows.cancelled, "ok", "cancelled"),
    )], ";")}  # fmt: skip


def _live(world: World, rows: Exported) -> dict[str, Part]:
    zone = pa.timestamp("us", "UTC")
    columns = {
        "order_id": numbers.order_text(LIVE, rows), "line_id": _whole(rows.line),
        "viewer_id": numbers.account_text(world, rows.account),
        "product_code": _plain(numbers.product_text(world, rows.product)),
        "count": exact(numbers.exported_milli(world, rows), 3), "unit": _plain(named(rows.unit, UNIT_WORDS[LIVE])),
        "amount": exact(rows.fen, 2), "discount": exact(rows.discount, 2), "is_gift": pa.array(rows.gift),
        "paid_at": pa.array((rows.at - LOCAL_SECONDS) * 1_000_000, zone),
        "state": _plain(_words(rows.cancelled, "done", "cancelled")),
        "origin_order_id": numbers.sale_order_text(LIVE, rows),
        "updated_at": pa.array((rows.stamp - LOCAL_SECONDS) * 1_000_000, zone),
    }  # fmt: skip
    return {"live": pa.table(columns)}


ENCODERS: tuple[Callable[[World, Exported], dict[str, Part]], ...] = (_pos, _app, _mini, _platform, _group, _live)
