"""The feedback loop: what is observed of the network becomes the view that it goes by."""
