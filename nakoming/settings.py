"""Where Nakoming's own things are: records, keys, documents, the portal's public address.

Read from `NAKOMING_…` variables. Connections to outside systems are blocks, not settings.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """The settings of one installation; every one has a default below `home`."""

    model_config = SettingsConfigDict(env_prefix="NAKOMING_", frozen=True, extra="ignore")

    home: Path = Field(default=Path("var"), description="Folder for all that this installation keeps.")
    records_url: str = Field(
        default="", description="SQLAlchemy URL of the records database; empty: SQLite below home."
    )
    documents: Path | None = Field(default=None, description="Folder of the stored documents (encrypted).")
    keys: Path | None = Field(
        default=None, description="Folder of the customers' keys and the link key; never in the database."
    )
    portal_url: str = Field(
        default="http://127.0.0.1:8460", description="Public address of the portal, as written in mails."
    )
    artefacts: Path | None = Field(
        default=None, description="Folder of built artefacts, shared by all workers."
    )
    document_limit: int = Field(
        default=25 * MEBIBYTE, gt=0, description="Largest document that is taken, in bytes."
    )
    agreements: Path = Field(default=Path("agreements"), description="Folder of the agreement files.")

    @model_validator(mode="before")
    @classmethod
    def _below_home(cls, values: dict[str, object]) -> dict[str, object]:
        home = Path(str(values.get("home") or "var"))
        values.setdefault("documents", home / "documents")
        values.setdefault("keys", home / "keys")
        if not values.get("records_url"):
            values["records_url"] = f"sqlite:///{home / 'records.sqlite'}"
        return values

    @property
    def documents_folder(self) -> Path:
        """The folder of stored documents."""
        return self.documents or self.home / "documents"

    @property
    def keys_folder(self) -> Path:
        """The folder of keys."""
        return self.keys or self.home / "keys"

    @property
    def artefacts_folder(self) -> Path:
        """The folder of built artefacts."""
        return self.artefacts or self.home / "artefacts"
