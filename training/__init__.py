"""How we learn and judge: recipes, training runs, backtests, releases and the command line."""
