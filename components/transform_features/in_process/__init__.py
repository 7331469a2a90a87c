"""TFT's analysis without a Beam pipeline: its own graph, analysers and files, over whole record batches."""
