"""Scores that RecTools gives to a small history. Runs in .venv-references, which holds none of this project.

Called with an .npz of arrays (customer, product, weight, day, since_day and settings) and the .npz to write.
"""

import sys

import numpy as np
import pandas as pd
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, ImplicitItemKNNWrapperModel, PopularModel


def interactions(customer: np.ndarray, product: np.ndarray, weight: np.ndarray, day: np.ndarray) -> Dataset:
    frame = {Columns.User: customer, Columns.Item: product, Columns.Weight: weight,
             Columns.Datetime: pd.to_datetime(day, unit="D")}  # fmt: skip
    return Dataset.construct(pd.DataFrame(frame))


def scores(model: object, dataset: Dataset, customers: int, products: int) -> np.ndarray:
    """Scores of every customer and product; 0 where the model names no product."""
    model.fit(dataset)
    everyone = dataset.user_id_map.external_ids
    found = model.recommend(users=everyone, dataset=dataset, k=products, filter_viewed=False)
    dense = np.zeros((customers, products))
    dense[found[Columns.User], found[Columns.Item]] = found[Columns.Score]
    return dense


def ease_weights(dataset: Dataset, regularisation: float, products: int) -> np.ndarray:
    model = EASEModel(regularization=regularisation).fit(dataset)
    code = dataset.item_id_map.external_ids
    weights = np.zeros((products, products))
    weights[np.ix_(code, code)] = model.weight
    return weights


def main(given: str, written: str) -> None:
    data = np.load(given)
    customers, products = int(data["customers"]), int(data["products"])
    roots = interactions(data["customer"], data["product"], data["root"], data["last_day"])
    orders = interactions(data["customer"], data["product"], data["weight"], data["last_day"])
    lines = interactions(data["line_customer"], data["line_product"], np.ones(len(data["line_day"])), data["line_day"])
    k, k1, b = int(data["neighbours"]), float(data["k1"]), float(data["b"])
    since = pd.to_datetime(int(data["since_day"]), unit="D")
    np.savez(
        written,
        ease_weights=ease_weights(roots, float(data["regularisation"]), products),
        ease=scores(EASEModel(regularization=float(data["regularisation"])), roots, customers, products),
        cosine=scores(ImplicitItemKNNWrapperModel(CosineRecommender(K=k)), orders, customers, products),
        bm25=scores(ImplicitItemKNNWrapperModel(BM25Recommender(K=k, K1=k1, B=b)), orders, customers, products),
        popular=scores(PopularModel("n_users", begin_from=since), lines, customers, products)[0],
        popular_orders=scores(PopularModel("n_interactions", begin_from=since), lines, customers, products)[0],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
