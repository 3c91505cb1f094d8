"""What notebooks and windows show: figures, and HTML with curves. Imports the checks of messages only."""
