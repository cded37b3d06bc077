"""Tests of the webhooks of mail providers."""
