# Terraform itself asks Resource Manager and Service Usage, which are enabled by hand before the first apply.
data "google_project" "this" {
  project_id = var.project
}

resource "google_project_service" "enabled" {
  for_each = toset([
    "aiplatform.googleapis.com",
    "artifactregistry.googleapis.com",
    "cloudscheduler.googleapis.com",
    # Vertex AI runs each task of a pipeline as a job on machines of this service.
    "compute.googleapis.com",
    "iam.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "storage.googleapis.com",
  ])

  service = each.value

  # Others in the project may need it after this installation is gone.
  disable_on_destroy = false
}
