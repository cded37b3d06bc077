"""One side effect each, thin over the library."""
