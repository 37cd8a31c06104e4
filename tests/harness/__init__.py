"""The servers that tests start for themselves, and the guard that keeps them on this machine."""
