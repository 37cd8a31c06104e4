"""A customer's ERP: tens of thousands of orders with the mess of real ones, on SQLite or PostgreSQL.

`making.make` makes and fills it, `mess.Mess` says what is wrong in it and how often, `play` does what happens
at an ERP while the Suite works beside it.
"""
