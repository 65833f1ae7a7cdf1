"""The roster of recommenders: adding one is a file and a line here."""

from features.errors import RecipeError, did_you_mean
from models.als import Als
from models.bpr import Bpr
from models.contracts import Recommender
from models.ease import Ease
from models.item_bm25 import ItemBm25
from models.item_cosine import ItemCosine
from models.items import Items
from models.personal import Personal
from models.popular import Popular, PopularByOrders
from models.ranker import Ranker
from models.settings import RecommendSettings
from models.tifu_knn import TifuKnn
from models.up_cf import UpCf

RECOMMENDERS: dict[str, type[Recommender]] = {
    "popular": Popular,
    "popular_orders": PopularByOrders,
    "personal": Personal,
    "up_cf": UpCf,
    "tifu_knn": TifuKnn,
    "ease": Ease,
    "als": Als,
    "bpr": Bpr,
    "item_cosine": ItemCosine,
    "item_bm25": ItemBm25,
    "items": Items,
    "ranker": Ranker,
}


def make_recommender(name: str, settings: RecommendSettings) -> Recommender:
    """Make an unfitted recommender; RecipeError names the roster when it has no such name."""
    if name not in RECOMMENDERS:
        hint = did_you_mean(name, RECOMMENDERS)
        raise RecipeError(f"there is no recommender {name!r}{hint}: choose one of {', '.join(RECOMMENDERS)}")
    return RECOMMENDERS[name](settings)
