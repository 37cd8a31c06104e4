"""The web that customers and officers see: one link, one question, one receipt."""
