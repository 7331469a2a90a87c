// Command terraform-provider-google is the part of Terraform's Google provider that docs/deploy/terraform uses: its own
// schemas and checks of values, from its own packages, of nine services in place of two hundred. `terraform validate`
// runs against it, so the check builds in two minutes and needs no registry of providers. It can't apply anything.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	frameworkschema "github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-mux/tf5muxserver"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-provider-google/google/registry"

	// Each registers its resources and data sources when it is imported.
	_ "github.com/hashicorp/terraform-provider-google/google/services/artifactregistry"
	_ "github.com/hashicorp/terraform-provider-google/google/services/cloudrunv2"
	_ "github.com/hashicorp/terraform-provider-google/google/services/cloudscheduler"
	_ "github.com/hashicorp/terraform-provider-google/google/services/logging"
	_ "github.com/hashicorp/terraform-provider-google/google/services/monitoring"
	_ "github.com/hashicorp/terraform-provider-google/google/services/pubsub"
	_ "github.com/hashicorp/terraform-provider-google/google/services/resourcemanager"
	_ "github.com/hashicorp/terraform-provider-google/google/services/storage"
)

const address = "registry.terraform.io/hashicorp/google"

// The arguments of a provider block that docs/deploy/terraform sets. Both halves of the provider must agree on them.
var arguments = []string{"project", "region"}

func main() {
	older := &schema.Provider{
		Schema:         map[string]*schema.Schema{},
		ResourcesMap:   registry.ResourceMap(),
		DataSourcesMap: registry.DatasourceMap(),
	}
	for _, name := range arguments {
		older.Schema[name] = &schema.Schema{Type: schema.TypeString, Optional: true}
	}
	server, err := tf5muxserver.NewMuxServer(
		context.Background(), older.GRPCProvider, providerserver.NewProtocol5(newer{}),
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := tf5server.Serve(address, server.ProviderServer); err != nil {
		log.Fatal(err)
	}
}

// newer serves what Google's provider has moved from the older plugin SDK to the framework.
type newer struct{}

func (newer) Metadata(_ context.Context, _ provider.MetadataRequest, response *provider.MetadataResponse) {
	response.TypeName = "google"
}

func (newer) Schema(_ context.Context, _ provider.SchemaRequest, response *provider.SchemaResponse) {
	response.Schema.Attributes = map[string]frameworkschema.Attribute{}
	for _, name := range arguments {
		response.Schema.Attributes[name] = frameworkschema.StringAttribute{Optional: true}
	}
}

func (newer) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (newer) DataSources(context.Context) []func() datasource.DataSource {
	return registry.FrameworkDataSourceFuncs()
}

func (newer) Resources(context.Context) []func() resource.Resource {
	return registry.FrameworkResourceFuncs()
}
