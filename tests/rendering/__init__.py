"""Templates become words, and hostile ones become refusals."""
