"""The component `transform_features`."""
