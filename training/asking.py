"""Asks a bundle through data frames, for those who load a registered model from MLflow."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from features.errors import TableError, did_you_mean
from models.bundle import BundleKind, open_bundle
from models.contracts import Query
from models.reasons import language_of
from models.surfaces import SURFACES, Surfaces

RECOMMEND_QUESTION = ("customer_id", "surface", "location_id", "channel", "product_id", "limit", "language")
FORECAST_QUESTION = ("product_id", "location_id", "target_date")
DEFAULT_LIMIT = 10
DAY_LETTERS = len("2017-12-10")


class Asked:
    """A bundle that answers data frames: a row of the frame is a question."""

    def __init__(self, folder: Path, kind: BundleKind) -> None:
        open_bundle(folder, kind)
        self._recommend = kind == "recommend"
        self._surfaces = Surfaces.open(folder / "surfaces") if self._recommend else None
        self._forecast: pd.DataFrame | None = (
            None if self._recommend else pq.read_table(folder / "forecast.parquet").to_pandas()
        )

    def answer(self, questions: pd.DataFrame) -> pd.DataFrame:
        """Answer each row. TableError names a column that no question has."""
        known = RECOMMEND_QUESTION if self._recommend else FORECAST_QUESTION
        for name in questions.columns:
            if name not in known:
                raise TableError(f"unknown column {name!r}{did_you_mean(str(name), known)}: any of {', '.join(known)}")
        return self._recommendations(questions) if self._recommend else self._forecasts(questions)

    def _recommendations(self, questions: pd.DataFrame) -> pd.DataFrame:
        """One row per product; `question` is the row that asked, the rest as in the table recommendations.

        A customer may be asked for by any of its accounts, written as in the table accounts. Reasons are in the
        question's language, or in English where it names none that they speak.
        """
        assert self._surfaces is not None
        rows: list[dict[str, Any]] = []
        for number, question in enumerate(_records(questions)):
            surface = question.pop("surface", None) or "for-you"
            if surface not in SURFACES:
                raise TableError(
                    f"unknown surface {surface!r}{did_you_mean(surface, SURFACES)}: any of {list(SURFACES)}"
                )
            limit = int(question.pop("limit", None) or DEFAULT_LIMIT)
            language = language_of(str(question.pop("language", None))) or "en"
            customer = self._surfaces.customer_of(question.get("customer_id"))
            for rank, item in enumerate(self._surfaces.answer(surface, [Query(**question)], limit)[0], start=1):
                rows.append({"question": number, "customer_id": customer, "surface": surface,
                             "rank": rank, **vars(item), "reason": item.reason.text(language)})  # fmt: skip
        return pd.DataFrame(rows)

    def _forecasts(self, questions: pd.DataFrame) -> pd.DataFrame:
        """The forecast's rows that match any question; a column that is absent or empty matches everything."""
        assert self._forecast is not None
        wanted = np.zeros(len(self._forecast), bool)
        for question in _records(questions):
            match = np.ones(len(self._forecast), bool)
            for name, value in question.items():
                if value is not None:
                    # A day may come as text, date or timestamp: all begin with YYYY-MM-DD.
                    asked = str(value)[:DAY_LETTERS] if name == "target_date" else str(value)
                    match &= self._forecast[name].astype(str).to_numpy() == asked
            wanted |= match
        return self._forecast.loc[wanted].reset_index(drop=True)


def _records(questions: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, with None for whatever is missing."""
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()}
            for row in questions.to_dict("records")]  # fmt: skip
