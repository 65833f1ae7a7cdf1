# ruff: noqa: E501  (each Chinese sign counts as two)
"""How retailers' systems name their columns, in the languages met so far: one table."""

import re
import unicodedata

# Roles are named as the columns of features/tables.py, or as what such a column is made of (unit_price, phone …).
WORDS: dict[str, tuple[str, ...]] = {
    "source_line_id": ("line id", "order line id", "order item id", "row id", "transaction line", "明细编号", "行号", "子订单号",
                       "子单号", "positionsnummer", "zeilennummer"),
    "order_id": ("order id", "order no", "order number", "order", "basket id", "basket", "basket num", "invoice",
                 "invoice no", "invoice number", "receipt", "receipt id", "receipt no", "transaction id", "ticket",
                 "bill no", "订单号", "订单编号", "小票号", "单号", "流水号", "交易号", "bestellnummer", "belegnummer", "bonnummer",
                 "bon", "beleg", "auftragsnummer", "rechnungsnummer", "commande", "pedido"),
    "line_number": ("line", "line no", "line number", "item no", "position", "pos", "序号", "行"),
    "product_id": ("product id", "product", "product no", "item id", "item", "sku", "sku id", "sku code", "item code", "article",
                   "article id", "article no", "stock code", "upc", "ean", "barcode", "plu", "goods id", "商品编码",
                   "商品编号", "商品id", "货号", "条码", "商品条码", "artikel", "artikelnummer", "artikelnr", "produkt",
                   "produktnummer", "article number"),
    "channel_customer_id": ("customer id", "customer", "customer no", "client id", "member id", "member no", "card",
                            "card number", "card no", "loyalty id", "household id", "household", "user id", "account",
                            "buyer id", "会员号", "会员卡号", "会员编号", "客户编号", "用户id", "买家id", "团员", "团员id", "kunde", "kundennummer", "kundenkarte",
                            "kundennr", "karte", "kartennummer"),
    "location_id": ("store id", "store", "store no", "store num", "store number", "shop", "shop id", "branch",
                    "location id", "location", "warehouse", "门店编号", "门店", "店铺", "店铺编号", "门店编码", "仓库", "filiale",
                    "filialnummer", "markt", "laden", "standort", "magasin"),
    "ordered_at": ("ordered at", "order date", "order time", "transaction timestamp", "transaction date",
                   "invoice date", "sold at", "sale date", "sales date", "purchase date", "created at", "paid at",
                   "timestamp", "datetime", "time", "week end date", "下单时间", "订单时间", "交易时间", "销售时间", "支付时间",
                   "付款时间", "销售日期", "bestelldatum", "verkaufsdatum", "belegdatum", "kaufdatum", "zeitpunkt"),
    "day": ("day", "date", "snapshot date", "stock date", "business date", "日期", "库存日期", "datum", "tag", "stichtag"),
    "quantity": ("quantity", "qty", "units", "units sold", "unit sales", "amount sold", "count", "数量", "销量", "购买数量",
                 "销售数量", "件数", "menge", "anzahl", "stueckzahl", "quantite", "cantidad"),
    "unit": ("unit", "uom", "unit of measure", "sales unit", "单位", "计量单位", "einheit", "mengeneinheit", "me"),
    "net_amount": ("net amount", "paid", "amount paid", "sales value", "line total", "total", "spend", "amount",
                   "revenue", "sales", "net sales", "实付金额", "实收金额", "金额", "销售额", "支付金额", "小计", "betrag", "umsatz",
                   "summe", "gesamtpreis", "nettobetrag"),
    "unit_price": ("unit price", "price", "sale price", "单价", "售价", "价格", "preis", "einzelpreis", "stueckpreis"),
    "discount_amount": ("discount", "discount amount", "retail disc", "coupon disc", "优惠金额", "折扣", "优惠", "rabatt",
                        "nachlass"),
    "channel": ("channel", "sales channel", "渠道", "订单来源", "来源", "销售渠道", "kanal", "vertriebskanal"),
    "status": ("status", "order status", "state", "订单状态", "状态", "auftragsstatus"),
    "fulfilment": ("fulfilment", "fulfillment", "delivery type", "delivery method", "配送方式", "提货方式", "lieferart"),
    "currency": ("currency", "currency code", "币种", "waehrung"),
    "returns_order_id": ("original order", "returned order", "原订单号", "原单号", "原小票号", "ursprungsbeleg", "originalbon"),
    "external_order_id": ("external order", "external order id", "platform order", "平台订单号", "第三方单号", "外部订单号"),
    "name": ("name", "product name", "description", "item name", "title", "商品名称", "品名", "名称", "门店名称", "店名",
             "bezeichnung", "artikelbezeichnung", "produktname", "store name"),
    "category": ("category", "product category", "department", "commodity", "sub category", "product type", "family",
                 "class", "类别", "品类", "分类", "一级类目", "二级类目", "类目", "部门", "kategorie", "warengruppe",
                 "sortiment", "abteilung"),
    "brand": ("brand", "manufacturer", "maker", "品牌", "厂商", "marke", "hersteller"),
    "pack_size": ("pack size", "case pack", "units per case", "箱规", "包装规格", "gebinde", "packungsgroesse"),
    "shelf_life_days": ("shelf life", "shelf life days", "保质期", "haltbarkeit"),
    "region": ("region", "city", "state", "province", "address state prov code", "address city name", "区域", "城市",
               "地区", "省份", "stadt", "bundesland"),
    "closing_units": ("stock", "on hand", "stock on hand", "closing stock", "inventory", "closing units", "库存",
                      "库存数量", "期末库存", "可用库存", "bestand", "lagerbestand"),
    "on_order_units": ("on order", "in transit", "在途", "在途数量", "bestellt", "unterwegs"),
    "starts_on": ("start date", "starts on", "valid from", "first day", "from date", "开始日期", "开始时间", "生效日期", "beginn",
                  "gueltig ab", "start", "von"),
    "ends_on": ("end date", "ends on", "valid to", "valid until", "last day", "to date", "结束日期", "结束时间", "失效日期",
                "ende", "gueltig bis", "bis"),
    "promotion": ("promotion", "promo", "campaign", "mailer", "mailer location", "feature", "促销", "活动", "活动名称", "促销类型",
                  "aktion", "werbung"),
    "display": ("display", "display location", "陈列", "platzierung"),
    "planned_price": ("promo price", "promotion price", "促销价", "活动价", "aktionspreis"),
    "phone": ("phone", "phone number", "mobile", "tel", "telephone", "手机", "手机号", "手机号码", "电话", "联系电话", "telefon",
              "handy", "mobilnummer", "telefonnummer"),
    "email": ("email", "e mail", "mail", "email address", "邮箱", "电子邮箱", "电子邮件", "mailadresse"),
    "unionid": ("unionid", "union id"),
    "openid": ("openid", "open id"),
    "device": ("device id", "device", "设备号", "geraet"),
    "rate": ("rate", "exchange rate", "汇率", "kurs", "wechselkurs"),
    "times": ("factor", "times", "units per", "换算率", "换算系数", "faktor"),
    "week": ("week", "week no", "周", "woche", "kw"),
}  # fmt: skip
KNOWN = {word: role for role, words in WORDS.items() for word in words}


def plain(name: str) -> str:
    """A column's name in small letters and single spaces, without signs and accents.

    >>> plain("InvoiceNo"), plain("STORE_NUM"), plain("Stückzahl (St.)")
    ('invoice no', 'store num', 'stueckzahl st')
    """
    for umlaut, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue")):
        name = name.replace(umlaut, written)
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return " ".join(re.sub(r"[^\w]|_", " ", bare.lower()).split())


def role_of(name: str) -> tuple[str, int] | None:
    """The role that a column's name stands for, and how surely (2 the very word, 1 as a part of it); None for none."""
    found = plain(name)
    if found in KNOWN:
        return KNOWN[found], 2
    joined = {word.replace(" ", ""): role for word, role in KNOWN.items()}
    if found.replace(" ", "") in joined:
        return joined[found.replace(" ", "")], 2
    parts = set(found.split())
    inside = [word for word in KNOWN if (set(word.split()) <= parts if word.isascii() else word in found)]
    return (KNOWN[max(inside, key=lambda word: (len(word), word))], 1) if inside else None
