"""The stages of the RFC development street, one module each, in the order of the agreement (S-2.3.2)."""
