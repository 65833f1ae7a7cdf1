"""What goes with what a customer buys: a linear model from every product to every other, solved in one step.

EASE (Steck, "Embarrassingly shallow autoencoders for sparse data", 2019) on square roots of decayed orders at unit
length, so that no customer counts more than another. Its weights never lead from a product to itself, so own decayed
orders are added.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

from features.arrays import open_record, save_record
from features.customers import owned_of
from features.history import Float, Int, Purchases
from models.evidence import EvidenceRecommender, top_of_rows
from models.profiles import decayed, profiles, square_roots, unit_rows
from models.saved_settings import open_settings, save_settings
from models.weights import Weights

PRODUCTS = 5000  # those bought by the most customers; the others speak only for themselves
REGULARISATION = 5.0
HALF_LIVES = 1.5  # of the settings
OWN_SHARE = 0.8  # weight of own orders beside what other products say
KEPT = 200  # weights of a product, the strongest
CUSTOMERS = 20_000  # whose products are counted together at once
BLOCK = 500  # products whose weights are held in full at once


class Ease(EvidenceRecommender):
    """Own products' weights, summed, and own orders."""

    name: ClassVar[str] = "ease"
    weights: Weights

    def fit(self, purchases: Purchases) -> Self:
        """Solve over customers where they are fewer than the products, else over products: both are exact."""
        self.purchases = purchases
        owned, customers = owned_of(purchases, self.settings.half_life_days), len(purchases.customers)
        owners = np.bincount(owned.product, minlength=owned.products)
        order = np.argsort(-owners, kind="stable")[:PRODUCTS]
        chosen = np.sort(order[owners[order] > 0]).astype(np.int32)
        chunks = (
            square_roots_of(self._orders(np.arange(begin, min(begin + CUSTOMERS, customers), dtype=np.int32)))[
                :, chosen
            ]
            for begin in range(0, customers, CUSTOMERS)
        )
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            blocks = over_customers(sp.vstack(list(chunks)).tocsr(), REGULARISATION) if customers <= len(chosen) \
                else over_products(chunks, len(chosen), REGULARISATION)  # fmt: skip
            self.weights = Weights.of((strongest(block) for block in blocks), chosen, owned.products)
        return self

    def _orders(self, customer: Int) -> sp.csr_matrix:
        return profiles(self.purchases, customer, decayed(HALF_LIVES * self.settings.half_life_days))

    def evidence(self, customer: Int) -> sp.csr_matrix:
        """Decayed orders at unit length, and what the other products say where that is above zero."""
        orders = self._orders(customer)
        said: sp.csr_matrix = (square_roots_of(orders) @ self.weights.matrix).tocsr()
        said.data = np.maximum(said.data, np.float32(0))
        both: sp.csr_matrix = (said + np.float32(OWN_SHARE) * unit_rows(orders)).tocsr()
        both.eliminate_zeros()
        both.sort_indices()
        return both

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_record(folder / "weights", self.weights)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.weights = open_record(folder / "weights", Weights)
        return opened


def square_roots_of(orders: sp.csr_matrix) -> sp.csr_matrix:
    """What weights are learnt from and applied to: square roots of decayed orders, each customer at length 1."""
    return unit_rows(square_roots(orders))


def over_customers(rows: sp.csr_matrix, regularisation: float) -> Iterator[Float]:
    """EASE's weights of `rows` [customers, products], BLOCK products at a time, by an inverse over customers.

    With A = (rows rowsᵀ + λI)⁻¹ the inverse over products is P = (I - rowsᵀ A rows) / λ (Woodbury), and a weight
    is -P[i, j] / P[j, j].
    """
    solved = np.asarray((rows.T @ _inverse((rows @ rows.T).toarray(), regularisation)).T, np.float32)
    kept = 1 - np.asarray(rows.multiply(solved).sum(axis=0), np.float32).ravel()
    columns = rows.T.tocsr()
    for begin in range(0, columns.shape[0], BLOCK):
        block = np.asarray(columns[begin : begin + BLOCK] @ solved, np.float32) / kept
        yield _without_itself(block, begin)


def over_products(chunks: Iterator[sp.csr_matrix], products: int, regularisation: float) -> Iterator[Float]:
    """The same for customers that come in chunks, by an inverse over products."""
    together = np.zeros((products, products), np.float32)
    for rows in chunks:
        together += (rows.T @ rows).toarray()
    inverse = _inverse(together, regularisation)
    for begin in range(0, products, BLOCK):
        yield _without_itself(np.asarray(-inverse[begin : begin + BLOCK] / np.diag(inverse), np.float32), begin)


def _without_itself(block: Float, begin: int) -> Float:
    at = np.arange(len(block))
    block[at, begin + at] = 0
    return block


def _inverse(symmetric: Float, regularisation: float) -> Float:
    """Inverse of a symmetric matrix with `regularisation` added to its diagonal, by Cholesky."""
    if not len(symmetric):
        return symmetric
    symmetric[np.diag_indices(len(symmetric))] += np.float32(regularisation)
    half, _ = lapack.spotrf(symmetric.astype(np.float32), lower=True)
    half, _ = lapack.spotri(half, lower=True)
    return np.asarray(np.tril(half) + np.tril(half, -1).T, np.float32)


def strongest(block: Float) -> sp.csr_matrix:
    """The KEPT weights of each row that are furthest from zero."""
    strength = top_of_rows(sp.csr_matrix(np.abs(block)), KEPT)
    row = np.repeat(np.arange(len(block)), np.diff(strength.indptr))
    return sp.csr_matrix((block[row, strength.indices], strength.indices, strength.indptr), shape=block.shape)
