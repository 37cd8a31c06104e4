"""What differs between environments: read once, from the process environment.

The database address may hold a password, so it is no command line argument, which every user may read.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """One environment's settings: database address, language of the pages, the customer's name."""

    database_url: str
    language: str = "en"
    title: str = "Smart Production Suite"

    @classmethod
    def from_process(cls) -> Settings:
        """Read `SUITE_DATABASE_URL` (required), `SUITE_LANGUAGE` (nl or en) and `SUITE_TITLE`.

        Raises:
            KeyError: The database address is missing.
        """
        return cls(
            database_url=os.environ["SUITE_DATABASE_URL"],
            language=os.environ.get("SUITE_LANGUAGE", cls.language),
            title=os.environ.get("SUITE_TITLE", cls.title),
        )
