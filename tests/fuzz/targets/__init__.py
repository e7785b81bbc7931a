"""One module for each thing that is fuzzed: see the package above."""
