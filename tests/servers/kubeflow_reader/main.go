// Reads a compiled pipeline from standard input as Kubeflow Pipelines does, and writes what it read as JSON, a document a line.
//
// The API server reads YAML with gopkg.in/yaml.v3 and the documents with protojson, which refuses unknown fields
// (backend/src/apiserver/template/v2_template.go). Drivers up to 2.3 read an executor and its Kubernetes settings as strictly
// (backend/src/v2/cmd/driver/main.go). go.mod and the other .mod files name the messages that a version was built with, by its
// own go.mod.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kubeflow/pipelines/api/v2alpha1/go/pipelinespec"
	"github.com/kubeflow/pipelines/kubernetes_platform/go/kubernetesplatform"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v3"
)

func main() {
	decoder := yaml.NewDecoder(os.Stdin)
	for {
		var document map[string]any
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return
		}
		stopOn("YAML", err)
		if _, isSpec := document["pipelineInfo"]; isSpec {
			parse("pipeline spec", document, &pipelinespec.PipelineSpec{})
			parse("executors", document["deploymentSpec"], &pipelinespec.PipelineDeploymentConfig{})
		} else {
			platforms := &pipelinespec.PlatformSpec{}
			parse("platform spec", document, platforms)
			executors := platforms.GetPlatforms()["kubernetes"].GetDeploymentSpec().GetExecutors()
			for name, settings := range executors {
				parse(name, settings.AsMap(), &kubernetesplatform.KubernetesExecutorConfig{})
			}
		}
		stopOn("JSON", json.NewEncoder(os.Stdout).Encode(document))
	}
}

func parse(what string, value any, message proto.Message) {
	text, err := json.Marshal(value)
	stopOn(what, err)
	stopOn(what, protojson.Unmarshal(text, message))
}

func stopOn(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}
