module kubeflow_reader

go 1.24.0

require (
	github.com/kubeflow/pipelines/api v0.0.0-20230331215358-758c91f76784
	github.com/kubeflow/pipelines/kubernetes_platform v0.0.0-20230404213301-bd9f74e34de6
	google.golang.org/protobuf v1.36.7
	gopkg.in/yaml.v3 v3.0.1
)

require google.golang.org/genproto v0.0.0-20211026145609-4688e4c4e024 // indirect
