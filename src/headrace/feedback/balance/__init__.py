"""Version 2 of the loop: traffic shared between sites before they are full. Pure."""
