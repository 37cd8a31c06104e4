"""A Prefect worker that is woken by events and forks runs from a preloaded Python.

Importing this package imports nothing of Prefect: the forkserver must be able to set its signal handlers and
its pipes before the first heavy import.
"""
