"""The exchange with a customer's ERP: fetched, checked, loaded, written back, compared, told (S-4.2.1)."""
