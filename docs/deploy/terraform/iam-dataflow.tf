# What components need that run on Dataflow: the section `engine` of retrain.yaml, with `dataflow = true` here.

resource "google_project_service" "dataflow" {
  count = var.dataflow ? 1 : 0

  project            = var.project
  service            = "dataflow.googleapis.com"
  disable_on_destroy = false
}

resource "google_service_account" "workers" {
  count = var.dataflow ? 1 : 0

  account_id   = "${var.name}-workers"
  display_name = "Dataflow's workers for retrainer: read spans, write statistics, graphs and predictions."

  depends_on = [google_project_service.enabled]
}

# Tasks start jobs and follow them ...
resource "google_project_iam_member" "pipeline_starts_dataflow" {
  count = var.dataflow ? 1 : 0

  project = var.project
  role    = "roles/dataflow.developer"
  member  = google_service_account.pipeline.member
}

# ... whose workers run as an account of their own.
resource "google_service_account_iam_member" "pipeline_acts_as_workers" {
  count = var.dataflow ? 1 : 0

  service_account_id = google_service_account.workers[0].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.pipeline.member
}

# The service asks this of the workers' account: they fetch work, and write logs and metrics.
resource "google_project_iam_member" "workers_work" {
  count = var.dataflow ? 1 : 0

  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.workers[0].member
}

# Spans and models are read, results and temporary files written.
resource "google_storage_bucket_iam_member" "workers_store" {
  count = var.dataflow ? 1 : 0

  bucket = google_storage_bucket.store.name
  role   = "roles/storage.objectUser"
  member = google_service_account.workers[0].member
}

# predict_batch reads its rows where they are.
resource "google_storage_bucket_iam_member" "workers_read_data" {
  count = var.dataflow ? 1 : 0

  bucket = data.google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.workers[0].member
}

# Workers start from the tasks' image.
resource "google_artifact_registry_repository_iam_member" "workers_pull" {
  count = var.dataflow ? 1 : 0

  repository = google_artifact_registry_repository.images.repository_id
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.workers[0].member
}
