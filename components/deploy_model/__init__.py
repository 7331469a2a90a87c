"""The component `deploy_model`."""
