"""What is backed up, where backups lie, and where they are tried: the connections of S-2.4.2 to S-2.4.7."""
