"""The controller: from observations to the view, for the running loop and the simulator. Pure."""
