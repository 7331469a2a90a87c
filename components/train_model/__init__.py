"""The component `train_model`."""
