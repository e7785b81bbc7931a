"""What operators ask of the feedback loop, and what they tell it."""
