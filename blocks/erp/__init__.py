"""Connections to a customer's ERP: databases, anything behind ODBC, files in an SFTP inbox (S-4.2.1)."""
