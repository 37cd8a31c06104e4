"""What keeps a workbook from being written, or a customer's file from being read, each with its code."""

from __future__ import annotations

from nakoming.errors import NakomingError


class CellUnfit(NakomingError):
    """A value is not of its column's kind."""

    template = (
        "Row {row} of '{sheet}' has {found} in column '{column}', which holds {wanted}; "
        "convert it before the workbook is written."
    )
    code = "NK7110"


class RowUnfit(NakomingError):
    """A row does not have as many values as the sheet has columns."""

    template = "Row {row} of '{sheet}' has {found} values; the sheet has {wanted} columns."
    code = "NK7111"


class SheetUnfit(NakomingError):
    """A sheet cannot be made as it was asked for."""

    template = "The sheet '{sheet}' cannot be written: {reason}."
    code = "NK7112"


class FileTooLarge(NakomingError):
    """A file is beyond what is read; seen before it is unpacked."""

    template = "The file '{file}' is not read: it has {found} {what}, and at most {limit} are allowed."
    code = "NK7120"


class WorkbookUnreadable(NakomingError):
    """A file is no workbook of Excel 2007 or later, or a damaged one."""

    template = "The file '{file}' cannot be read as an Excel workbook (.xlsx): {reason}."
    code = "NK7121"


class WorkbookLocked(NakomingError):
    """A workbook opens with a password only."""

    template = "The workbook '{file}' is protected with a password; save it without one and send it again."
    code = "NK7122"


class SheetUnclear(NakomingError):
    """It is not clear which sheet is meant, or it is not there."""

    template = "The workbook '{file}' has {reason}; its sheets are: {sheets}."
    code = "NK7123"


class CellsMerged(NakomingError):
    """Merged cells hold one value for several places: which rows it is for is a guess."""

    template = "Sheet '{sheet}' of '{file}' has merged cells ({where}); unmerge them and fill in each cell."
    code = "NK7124"


class FormulaWithoutValue(NakomingError):
    """A formula was never calculated, so its cell holds no value."""

    template = (
        "Cell {where} of sheet '{sheet}' in '{file}' is a formula without a stored value; "
        "open the file in Excel, save it and send it again."
    )
    code = "NK7125"


class HeaderUnclear(NakomingError):
    """The first row does not name each column once."""

    template = "The header of '{file}' is not clear: {reason}; its first row must name each column once."
    code = "NK7126"


class EncodingWrong(NakomingError):
    """The bytes of a text file are not in the declared encoding."""

    template = "The file '{file}' is not in the declared encoding {encoding}: {reason}."
    code = "NK7127"


class CsvUnreadable(NakomingError):
    """A line of a text file does not have the form of CSV, or of its header."""

    template = "Line {line} of '{file}' cannot be read: {reason}."
    code = "NK7128"
