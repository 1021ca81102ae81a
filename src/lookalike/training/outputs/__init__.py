"""What training writes: checkpoints, model files, reports of collapsed bits."""
