package main

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// policyFaults asks Kubernetes' own admission code whether a namespace with Pod Security "restricted" takes a pod.
func policyFaults(pod corev1.PodTemplateSpec) (found faults) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		found.add("pod security: %v", err)
		return found
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	results := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	if !results.Allowed {
		found.add("Pod Security \"restricted\" refuses its pods: %s", results.ForbiddenDetail())
	}
	return found
}
