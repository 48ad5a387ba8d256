"""`python -m loxo.cli`, where the command `loxo` is not on the path."""

from __future__ import annotations

from loxo.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
