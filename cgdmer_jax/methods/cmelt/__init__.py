"""C-MELT (arXiv 2410.02131), later D-BETA, on the method contract."""
