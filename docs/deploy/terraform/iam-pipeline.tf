# What the tasks of a run may do, and who may start runs by hand.

# Vertex AI asks this of the account that a pipeline runs as: it starts a job for each task and records its artifacts.
resource "google_project_iam_member" "pipeline_runs" {
  project = var.project
  role    = "roles/aiplatform.user"
  member  = google_service_account.pipeline.member
}

# What tasks print is found in Cloud Logging.
resource "google_project_iam_member" "pipeline_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.pipeline.member
}

# Spans, models and aliases are created and read; records and reports are written again.
resource "google_storage_bucket_iam_member" "pipeline_stores" {
  bucket = google_storage_bucket.store.name
  role   = "roles/storage.objectUser"
  member = google_service_account.pipeline.member
}

# Data is read and listed: the newest span is found when a run starts.
resource "google_storage_bucket_iam_member" "pipeline_reads_data" {
  bucket = data.google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.pipeline.member
}

# People start runs and make schedules, and look at them in the console ...
resource "google_project_iam_member" "submitters_run" {
  for_each = var.submitters

  project = var.project
  role    = "roles/aiplatform.user"
  member  = each.value
}

# ... in the name of the pipeline's account, so that they need no right on the data themselves ...
resource "google_service_account_iam_member" "submitters_act_as_pipeline" {
  for_each = var.submitters

  service_account_id = google_service_account.pipeline.name
  role               = "roles/iam.serviceAccountUser"
  member             = each.value
}

# ... and push compiled pipelines and images.
resource "google_artifact_registry_repository_iam_member" "submitters_push" {
  for_each = {
    for pair in setproduct(var.submitters, [
      google_artifact_registry_repository.images.repository_id,
      google_artifact_registry_repository.pipelines.repository_id,
    ]) : join(" ", pair) => { member = pair[0], repository = pair[1] }
  }

  repository = each.value.repository
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = each.value.member
}
