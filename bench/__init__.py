"""The figures of Nakoming, each measured by one named benchmark: `python -m bench [NAME]`."""
