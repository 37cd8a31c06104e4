"""The play: a real request for change goes through the street, decided by officers who read their mail."""
