"""Backups of customers: made and proven every night, restored when a customer chooses one."""
