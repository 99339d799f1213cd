"""Training: data sets, networks, recipes, the training loop and its reports."""
