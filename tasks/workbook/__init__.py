"""Workbooks: written as their rows come, and read with care when a customer sends one."""

from tasks.workbook.csv_reading import read_csv
from tasks.workbook.limits import Limits
from tasks.workbook.model import Kind, Sheet, SheetColumn, Total, Written, WrittenSheet
from tasks.workbook.reading import read_workbook
from tasks.workbook.rows import Rows
from tasks.workbook.writing import write_workbook

__all__ = [
    "Kind",
    "Limits",
    "Rows",
    "Sheet",
    "SheetColumn",
    "Total",
    "Written",
    "WrittenSheet",
    "read_csv",
    "read_workbook",
    "write_workbook",
]
