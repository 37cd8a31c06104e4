"""What crosses our border: contracts and the checks compiled from them."""
