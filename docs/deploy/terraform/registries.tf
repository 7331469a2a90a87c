resource "google_artifact_registry_repository" "images" {
  repository_id = "${var.name}-images"
  description   = "Images of retrainer's components and of its trigger service."
  location      = var.region
  format        = "DOCKER"

  depends_on = [google_project_service.enabled]
}

resource "google_artifact_registry_repository" "pipelines" {
  repository_id = "${var.name}-pipelines"
  description   = "Compiled pipelines, pushed by retrainer compile --push."
  location      = var.region
  format        = "KFP"

  depends_on = [google_project_service.enabled]
}
