"""Where flows run: the `nakoming` command, the embedded system, workers, the reconciler."""
