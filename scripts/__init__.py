"""What runs before, or beside, the environment: standard library only, readable by any Python from 3.8."""
