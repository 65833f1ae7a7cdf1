"""The documentation tells the truth about what exists."""

import re
from pathlib import Path

import pytest

from features.tables import TABLES
from training.recipe import Recipe, load_recipe, shipped_recipes
from training.reference import commands_page, settings_page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def test_the_settings_page_is_what_the_code_says():
    assert (DOCS / "settings.md").read_text("utf-8") == settings_page(), "run python -m training.reference"


def test_the_commands_page_is_what_the_code_says():
    assert (DOCS / "commands.md").read_text("utf-8") == commands_page(), "run python -m training.reference"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_of_a_table_is_in_the_docs(table):
    page = (DOCS / "tables.md").read_text("utf-8")
    section = page.partition(f"\n## {table.name}")[2].partition("\n## ")[0]
    missing = [name for name in table.column_names if f"`{name}`" not in section]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
    gone = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert gone == []


def test_a_file_named_in_the_architecture_page_exists():
    named = re.findall(
        r"`((?:features|models|training|serving|tests)/[\w/.]*)`", (DOCS / "architecture.md").read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_command_shown_exists(page):
    commands = set(re.findall(r"^## (\w+)$", commands_page(), re.MULTILINE))
    shown = set(re.findall(r"(?:^|`)onebasket ([a-z]+)", page.read_text("utf-8"), re.MULTILINE))
    assert shown <= commands


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_sound(name):
    assert isinstance(load_recipe(name), Recipe)


def test_the_recipe_in_the_guide_is_sound(tmp_path):
    block = re.search(r"```toml\n(\[retailer\].*?)```", (DOCS / "recipes.md").read_text("utf-8"), re.DOTALL)
    assert block
    (tmp_path / "guide.toml").write_text(block[1], "utf-8")
    assert load_recipe(str(tmp_path / "guide.toml")).retailer.name == "corner-shops"
