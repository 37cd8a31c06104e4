"""Stub."""


def write() -> None: ...
