"""What the smallest project needs."""

MODEL = """\
def preprocessing_fn(inputs):
    return inputs


def build_model(transform_output, hyperparameters):
    return None
"""
"""A model.py that can be compiled into a pipeline and never runs."""
