"""Products similar to own products by the cosine of who buys them."""

from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from models.item_neighbours import THREADS, ItemNeighbours
from models.profiles import unit_rows

NEIGHBOURS = 50


class ItemCosine(ItemNeighbours):
    """Cosine of decayed orders."""

    name: ClassVar[str] = "item_cosine"

    def similarities(self, orders: sp.csr_matrix) -> sp.csr_matrix:
        from implicit.nearest_neighbours import ItemItemRecommender

        model = ItemItemRecommender(K=NEIGHBOURS, num_threads=THREADS)
        model.fit(unit_rows(orders.T.tocsr()).T.tocsr().astype(np.float64), show_progress=False)
        return sp.csr_matrix(model.similarity)
