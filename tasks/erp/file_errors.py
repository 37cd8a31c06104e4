"""What makes a file of an ERP's inbox be refused, beside what the workbook's reader says."""

from __future__ import annotations

from tasks.erp.errors import ExchangeError


class FileUnnamed(ExchangeError):
    """A file whose name does not tell what is in it."""

    template = "The file '{file}' is not taken: its name must begin with one of {allowed}."
    code = "NK7330"


class FileColumnsMissing(ExchangeError):
    """A file without columns that its data contract requires."""

    template = "The file '{file}' lacks what {interface} requires: {missing}; it has: {found}."
    code = "NK7331"
