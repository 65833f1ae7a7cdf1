"""A recipe with a fault is refused with the fault's place and the remedy."""

from pathlib import Path

import pytest

from features.errors import RecipeError
from tests.fixtures import tiny_shop
from training.recipe import load_recipe, shipped_recipes


def with_change(folder: Path, old: str, new: str) -> str:
    recipe = tiny_shop.write_exports(folder, days=2)
    text = recipe.read_text("utf-8")
    assert old in text
    recipe.write_text(text.replace(old, new), "utf-8")
    return str(recipe)


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_right(name: str) -> None:
    assert load_recipe(name).of_table("order_lines")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('currency = "EUR"', 'currancy = "EUR"', r"retailer\.currancy: unknown key \(did you mean 'currency'\?\)"),
        ('time_zone = "UTC"', 'time_zone = "Europe/Lodnon"', r"did you mean 'Europe/London'\?"),
        ('table = "catalog"', 'table = "catalogue"', r"unknown table 'catalogue' \(did you mean 'catalog'\?\)"),
        ('product_id = "product", name', 'produt_id = "product", name', r"catalog has no column 'produt_id'"),
        ('quantity = "quantity", ', "", r"order_lines needs quantity"),
        ('table = "order_lines"', 'table = "stock"', r"stock"),
        ("horizon_days = 14", "horizon_days = 0", r"forecast\.horizon_days"),
        ("[recommend]", "[recommend", r"not valid TOML"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe(with_change(tmp_path, old, new))


def test_a_recipe_that_is_not_there_gets_a_suggestion() -> None:
    with pytest.raises(RecipeError, match=r"there is no recipe 'complete-jurney'"):
        load_recipe("complete-jurney")
