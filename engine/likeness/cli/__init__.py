from likeness.cli.program import main

__all__ = ["main"]
