"""Workbooks: written as their rows come, and read with care when a customer sends one."""

from tasks.workbook.model import Kind, Sheet, SheetColumn, Total, Written, WrittenSheet
from tasks.workbook.writing import write_workbook

__all__ = ["Kind", "Sheet", "SheetColumn", "Total", "Written", "WrittenSheet", "write_workbook"]
