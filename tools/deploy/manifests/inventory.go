package main

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// inventory is what an overlay makes, to follow references in.
type inventory struct {
	names map[string]bool
	pods  []corev1.PodTemplateSpec
	ports map[string][]corev1.ServicePort
}

func newInventory(objects []object, outside []string) inventory {
	cluster := inventory{names: map[string]bool{}, ports: map[string][]corev1.ServicePort{}}
	for _, name := range outside {
		cluster.names[name] = true
	}
	for _, one := range objects {
		cluster.names[one.String()] = true
		switch value := one.value.(type) {
		case *appsv1.Deployment:
			cluster.pods = append(cluster.pods, value.Spec.Template)
		case *batchv1.CronJob:
			cluster.pods = append(cluster.pods, value.Spec.JobTemplate.Spec.Template)
		case *corev1.Service:
			cluster.ports[value.Name] = value.Spec.Ports
		}
	}
	return cluster
}

// faults checks one object against the others.
func (cluster inventory) faults(one object) []string {
	var found faults
	if one.kind != "Namespace" && one.meta.GetNamespace() == "" {
		found.add("has no namespace, and would land in whichever is the default")
	}
	switch value := one.value.(type) {
	case *appsv1.Deployment:
		found.join(deploymentFaults(value))
		found.join(cluster.podFaults(value.Spec.Template.Spec, true))
		found.join(policyFaults(value.Spec.Template))
	case *batchv1.CronJob:
		// What ends by itself is asked nothing.
		found.join(cluster.podFaults(value.Spec.JobTemplate.Spec.Template.Spec, false))
		found.join(policyFaults(value.Spec.JobTemplate.Spec.Template))
	case *corev1.Service:
		found.join(cluster.selectorFaults(&metav1.LabelSelector{MatchLabels: value.Spec.Selector}))
		found.join(cluster.portFaults(value))
	case *policyv1.PodDisruptionBudget:
		found.join(cluster.selectorFaults(value.Spec.Selector))
	case *networkingv1.NetworkPolicy:
		found.join(cluster.selectorFaults(&value.Spec.PodSelector))
	case *networkingv1.Ingress:
		found.join(cluster.ingressFaults(value))
	case *rbacv1.RoleBinding:
		found.join(cluster.bindingFaults(value))
	case *rbacv1.Role:
		found.join(roleFaults(value))
	}
	return found
}

func (cluster inventory) selectorFaults(selector *metav1.LabelSelector) (found faults) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		found.add("selector: %v", err)
		return found
	}
	if parsed.Empty() {
		found.add("its selector is empty and takes every pod of the namespace")
	}
	for _, pod := range cluster.pods {
		if parsed.Matches(labels.Set(pod.Labels)) {
			return found
		}
	}
	found.add("its selector %q matches no pod", parsed)
	return found
}

func (cluster inventory) portFaults(service *corev1.Service) (found faults) {
	for _, port := range service.Spec.Ports {
		if port.TargetPort.StrVal == "" {
			continue
		}
		known := false
		for _, pod := range cluster.pods {
			for _, container := range pod.Spec.Containers {
				for _, open := range container.Ports {
					known = known || open.Name == port.TargetPort.StrVal
				}
			}
		}
		if !known {
			found.add("no container has a port named %q", port.TargetPort.StrVal)
		}
	}
	return found
}

func (cluster inventory) ingressFaults(ingress *networkingv1.Ingress) (found faults) {
	if len(ingress.Spec.TLS) == 0 {
		found.add("has no TLS: Pub/Sub pushes to https only")
	}
	for _, tls := range ingress.Spec.TLS {
		found.join(cluster.missing("Secret", tls.SecretName))
	}
	for _, rule := range ingress.Spec.Rules {
		for _, path := range rule.HTTP.Paths {
			backend := path.Backend.Service
			known := false
			for _, port := range cluster.ports[backend.Name] {
				known = known || port.Name == backend.Port.Name || port.Port == backend.Port.Number
			}
			if !known {
				found.add("%s leads to %s:%s%d, which is no port of a Service here",
					path.Path, backend.Name, backend.Port.Name, backend.Port.Number)
			}
		}
	}
	return found
}

func (cluster inventory) bindingFaults(binding *rbacv1.RoleBinding) (found faults) {
	found.join(cluster.missing(binding.RoleRef.Kind, binding.RoleRef.Name))
	for _, subject := range binding.Subjects {
		// Kubeflow makes this account in each profile's namespace; pipelines' pods have it.
		if subject.Kind != "ServiceAccount" || subject.Name != "default-editor" {
			found.join(cluster.missing(subject.Kind, subject.Name))
		}
		if subject.Namespace != binding.Namespace {
			found.add("its subject %s is in namespace %q", subject.Name, subject.Namespace)
		}
	}
	return found
}

func (cluster inventory) missing(kind, name string) (found faults) {
	if !cluster.names[kind+"/"+name] {
		found.add("there is no %s/%s", kind, name)
	}
	return found
}
