"""Rendering: templates become words, in processes of their own and within bounds of time, memory and length."""
