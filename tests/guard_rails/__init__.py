"""Tests of guard rails."""
