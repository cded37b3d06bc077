"""Our mail among the programs that carry, verify and judge mail elsewhere; `make interop` runs it."""
