"""The Smart Production Suite: production orders beside a customer's ERP system."""
