package main

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// object is a Kubernetes object, as its own type.
type object struct {
	kind  string
	meta  metav1.Object
	value runtime.Object
}

func (o object) String() string {
	return o.kind + "/" + o.meta.GetName()
}

// build runs Kustomize on a folder and gives each object's YAML.
func build(folder string) ([][]byte, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("kustomize: %w", err)
	}
	var documents [][]byte
	for _, resource := range resources.Resources() {
		document, err := resource.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("kustomize: %w", err)
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// decode reads an object into the type that its apiVersion and kind name. A field that the type does not have, or one
// that is there twice, is a fault: the API server would drop it with a warning at most.
func decode(document []byte) (object, error) {
	var head metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &head); err != nil {
		return object{}, err
	}
	kind := schema.FromAPIVersionAndKind(head.APIVersion, head.Kind)
	value, err := scheme.Scheme.New(kind)
	if err != nil {
		return object{}, fmt.Errorf("%s/%s: Kubernetes has no %s in %s", head.Kind, head.Name, head.Kind, head.APIVersion)
	}
	if err := yaml.UnmarshalStrict(document, value); err != nil {
		return object{}, fmt.Errorf("%s/%s: %w", head.Kind, head.Name, err)
	}
	return object{kind: head.Kind, meta: value.(metav1.Object), value: value}, nil
}
