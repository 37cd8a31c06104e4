"""Runs of cases in Prefect: woken when their case wants to run, replaced when they are gone or dead."""
