"""Products similar to own products by who buys them, where customers who buy everything say little.

BM25 weights (Robertson & Zaragoza, "The probabilistic relevance framework", 2009), as the library implicit has them.
"""

from typing import ClassVar

import scipy.sparse as sp

from models.item_neighbours import THREADS, ItemNeighbours

NEIGHBOURS = 100
SATURATION = 5.0  # k1: how soon further orders of a product stop adding
LENGTH = 0.2  # b: how far a product of many orders is held to the mean


class ItemBm25(ItemNeighbours):
    """Inner product of BM25 weights."""

    name: ClassVar[str] = "item_bm25"

    def similarities(self, orders: sp.csr_matrix) -> sp.csr_matrix:
        from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight

        model = ItemItemRecommender(K=NEIGHBOURS, num_threads=THREADS)
        model.fit(bm25_weight(orders.T, SATURATION, LENGTH).T.tocsr(), show_progress=False)
        return sp.csr_matrix(model.similarity)
