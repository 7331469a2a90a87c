package main

import (
	"fmt"
	"regexp"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

var digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

// faults are what is wrong, in words.
type faults []string

func (f *faults) add(format string, values ...any) {
	*f = append(*f, fmt.Sprintf(format, values...))
}

func (f *faults) join(others faults) {
	*f = append(*f, others...)
}

func deploymentFaults(deployment *appsv1.Deployment) (found faults) {
	selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
	if err != nil {
		found.add("selector: %v", err)
	} else if selector.Empty() || !selector.Matches(labels.Set(deployment.Spec.Template.Labels)) {
		found.add("its selector %q does not match its own pods", selector)
	}
	if replicas := deployment.Spec.Replicas; replicas == nil || *replicas < 2 {
		found.add("has fewer than two replicas")
	}
	return found
}

// podFaults checks a pod: what it refers to, what it may do, and whether a pod that serves is asked how it is.
func (cluster inventory) podFaults(pod corev1.PodSpec, serves bool) (found faults) {
	found.join(cluster.missing("ServiceAccount", pod.ServiceAccountName))
	volumes := map[string]bool{}
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
		if volume.ConfigMap != nil {
			found.join(cluster.missing("ConfigMap", volume.ConfigMap.Name))
		}
		if volume.Secret != nil {
			found.join(cluster.missing("Secret", volume.Secret.SecretName))
		}
	}
	for _, container := range pod.Containers {
		for _, fault := range cluster.containerFaults(container, volumes) {
			found.add("container %s: %s", container.Name, fault)
		}
		if !serves {
			continue
		}
		for _, fault := range probeFaults(container) {
			found.add("container %s: %s", container.Name, fault)
		}
	}
	return found
}

func probeFaults(container corev1.Container) (found faults) {
	ports := map[string]bool{}
	for _, port := range container.Ports {
		ports[port.Name] = true
	}
	probes := map[string]*corev1.Probe{
		"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe,
	}
	for _, name := range []string{"startup", "liveness", "readiness"} {
		probe := probes[name]
		if probe == nil || probe.HTTPGet == nil {
			found.add("has no %s probe over HTTP", name)
		} else if port := probe.HTTPGet.Port.StrVal; port != "" && !ports[port] {
			found.add("its %s probe asks port %q, which it does not have", name, port)
		}
	}
	return found
}

func (cluster inventory) containerFaults(container corev1.Container, volumes map[string]bool) (found faults) {
	if !digest.MatchString(container.Image) {
		found.add("its image %q is not named by its digest", container.Image)
	}
	for _, mount := range container.VolumeMounts {
		if !volumes[mount.Name] {
			found.add("there is no volume %q", mount.Name)
		}
	}
	for _, variable := range container.Env {
		if source := variable.ValueFrom; source != nil && source.SecretKeyRef != nil {
			found.join(cluster.missing("Secret", source.SecretKeyRef.Name))
		}
	}
	for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if _, set := container.Resources.Requests[resource]; !set {
			found.add("requests no %s", resource)
		}
		if _, set := container.Resources.Limits[resource]; !set {
			found.add("has no limit of %s", resource)
		}
	}
	// Pod Security asks for everything else.
	security := container.SecurityContext
	if security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
		found.add("may write its root file system: set readOnlyRootFilesystem: true")
	}
	return found
}

func roleFaults(role *rbacv1.Role) (found faults) {
	for _, rule := range role.Rules {
		for _, text := range append(append(append([]string{}, rule.APIGroups...), rule.Resources...), rule.Verbs...) {
			if text == "*" {
				found.add("grants '*'")
			}
		}
	}
	return found
}
