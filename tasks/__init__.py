"""One capability a module; every effect on the outside world is a step."""
