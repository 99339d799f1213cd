"""Recipes: training runs as files of plain data (see ``edge_fer.train.recipe``)."""
