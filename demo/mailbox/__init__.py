"""A mail server for one machine: takes mail, tells how it went, and shows it on a page."""
