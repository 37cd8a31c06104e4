"""A vendor in a box: the Suite, its customers, its build and deploy commands."""
