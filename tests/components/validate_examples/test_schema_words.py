"""What a schema says of a column, in words."""

import subprocess
import sys

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from retrainer.components.validate_examples.schema_words import describe

CASES = {
    "type: INT presence {min_fraction: 1 min_count: 1}": {"type": "INT", "presence": "every row"},
    "type: FLOAT presence {min_fraction: 0.9 min_count: 1}": {
        "presence": "at least 90 % of the rows"
    },
    "type: FLOAT presence {min_count: 1}": {"presence": "at least 1 row"},
    "type: BYTES": {"type": "BYTES", "presence": "may be missing", "domain": ""},
    "type: BYTES string_domain {value: 'a' value: 'b'}": {"domain": "one of 2 values (a, b)"},
    "type: BYTES domain: 'shared'": {"domain": "one of 7 values (1, 2, 3, 4, 5, ...)"},
    "type: INT int_domain {min: 0 max: 9}": {"domain": "from 0 to 9"},
    "type: FLOAT float_domain {max: 0.5 disallow_nan: true}": {"domain": "to 0.5, no nan"},
    "type: INT bool_domain {}": {"domain": "0 or 1"},
    "type: BYTES bool_domain {true_value: 'yes' false_value: 'no'}": {"domain": "'yes' or 'no'"},
    "type: INT int_domain {min: 0} annotation {tag: 'inferred_domain'}": {
        "domain": "from 0",
        "notes": "range inferred",
    },
    "type: FLOAT lifecycle_stage: DEPRECATED not_in_environment: 'SERVING' shape {dim {size: 3}}": {
        "notes": "DEPRECATED, not in SERVING, shape 3"
    },
    "type: INT drift_comparator {jensen_shannon_divergence {threshold: 0.2}} "
    "skew_comparator {infinity_norm {threshold: 0.01}} "
    "distribution_constraints {min_domain_mass: 0.95}": {
        "thresholds": "drift jensen_shannon_divergence 0.2, skew infinity_norm 0.01, domain mass 0.95"
    },
}


@pytest.mark.parametrize("feature", CASES)
def test_a_column_in_words(feature):
    values = " ".join(f"value: '{i}'" for i in range(1, 8))
    text = f"feature {{name: 'x' {feature}}} string_domain {{name: 'shared' {values}}}"
    (words,) = describe(text_format.Parse(text, schema_pb2.Schema()))
    assert {name: getattr(words, name) for name in CASES[feature]} == CASES[feature]


def test_describing_loads_no_tensorflow():
    program = (
        "import sys; import retrainer.components.validate_examples.schema_words, "
        "retrainer.components.lib.schema_file, retrainer.pipelines.cli.show_schema; "
        "print([n for n in ('tensorflow', 'tensorflow_data_validation') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
