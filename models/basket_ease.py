"""Weights from the products of a basket to the rest of it: EASE (Steck, 2019) over orders instead of customers.

It needs no customer, and a product that is in most baskets anyway gains little from each of the others.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController

from features.history import Int, Purchases
from models.ease import over_products, strongest
from models.weights import Weights

PRODUCTS = 3000  # those in the most orders: 6000 find a little more and take ten times as long
REGULARISATION = 100.0
ORDERS = 200_000  # whose products are counted together at once


def learn_basket_weights(purchases: Purchases) -> Weights:
    """Solve over the products in the most orders; the others say nothing."""
    products = len(purchases.products)
    held = np.bincount(purchases.product, minlength=products)
    order = np.argsort(-held, kind="stable")[:PRODUCTS]
    chosen = np.sort(order[held[order] > 0]).astype(np.int32)
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        blocks = over_products(_orders(purchases, chosen), len(chosen), REGULARISATION)
        return Weights.of((strongest(block) for block in blocks), chosen, products)


def _orders(purchases: Purchases, chosen: Int) -> Iterator[sp.csr_matrix]:
    """Orders × chosen products, 1 where an order holds one."""
    place = np.full(len(purchases.products), -1, np.int32)
    place[chosen] = np.arange(len(chosen), dtype=np.int32)
    line = np.flatnonzero(place[purchases.product] >= 0)
    order = purchases.order[line]
    for begin in range(0, int(order.max(initial=-1)) + 1, ORDERS):
        here = line[(order >= begin) & (order < begin + ORDERS)]
        cells = (purchases.order[here] - begin, place[purchases.product[here]])
        yield sp.csr_matrix((np.ones(len(here), np.float32), cells), shape=(ORDERS, len(chosen)))
