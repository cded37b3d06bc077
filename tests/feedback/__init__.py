"""Tests of what becomes known of accepted mail."""
