"""Connections to outside systems, one system a module."""
