"""The drawn world: what can be on a picture, how it is said, how it is drawn."""
