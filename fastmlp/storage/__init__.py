"""Files: models, checkpoints, states of random generators."""
