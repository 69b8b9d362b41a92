"""Work that a command does, callable from Python: pretrain, adapt, export. No flags and no report pages."""
