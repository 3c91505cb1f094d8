"""Files of models, checkpoints and generators' states."""
