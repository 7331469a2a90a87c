from retrainer.components.lib.serving.kserve.manifests import owned

SPEC = {"predictor": {"minReplicas": 2, "model": {"storageUri": "gs://m/7"}}}


def found(*managers):
    fields = [
        {"manager": name, "operation": operation, "fieldsV1": {"f:spec": owns}}
        for name, operation, owns in managers
    ]
    return {"metadata": {"managedFields": fields}, "spec": SPEC}


def test_the_fields_that_retrainer_applied_are_its_own():
    ours = {"f:predictor": {"f:model": {"f:storageUri": {}}}}
    theirs = {"f:predictor": {"f:minReplicas": {}}}
    obj = found(("retrainer", "Apply", ours), ("kubectl-edit", "Update", theirs))
    assert owned(obj) == {"predictor": {"model": {"storageUri": "gs://m/7"}}}
    assert owned(found(("kubectl-edit", "Update", theirs))) == {}
    assert owned(found(("retrainer", "Update", ours))) == {}
    assert owned({"metadata": {}}) == {}


def test_a_spec_that_is_one_value_is_applied_as_a_whole_whoever_wrote_it():
    for manager, operation in (("retrainer", "Apply"), ("kubectl-edit", "Update")):
        assert owned(found((manager, operation, {}))) == SPEC
