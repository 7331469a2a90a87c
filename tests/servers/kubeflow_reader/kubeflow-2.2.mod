module kubeflow_reader

go 1.24.0

require (
	github.com/kubeflow/pipelines/api v0.0.0-20231027040853-58ce09e07d03
	github.com/kubeflow/pipelines/kubernetes_platform v0.0.0-20240403164522-8b2a099e8c9f
	google.golang.org/protobuf v1.36.7
	gopkg.in/yaml.v3 v3.0.1
)

require google.golang.org/genproto v0.0.0-20211026145609-4688e4c4e024 // indirect
