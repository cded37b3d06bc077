"""Gives accepted rows a carrier, pokes carriers, sweeps up after crashes."""
