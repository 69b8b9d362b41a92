"""One file a format: a path in, a Recording out. Readers know no collection."""
