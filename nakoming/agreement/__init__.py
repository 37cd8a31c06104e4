"""The rules of the agreement as plain Python: terms, calendar, clocks, windows, gate rules."""
