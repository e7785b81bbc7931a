"""BIRD as the speaker where a site has it already: a file that its configuration includes."""
