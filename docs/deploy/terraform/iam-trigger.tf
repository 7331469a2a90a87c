# What the trigger service may do.

# No predefined role starts runs without also reading data sets, models and endpoints of the whole project.
resource "google_project_iam_custom_role" "submits" {
  role_id     = replace("${var.name}_submits", "-", "_")
  title       = "Starts pipeline runs (${var.name})"
  description = "What retrainer's trigger service asks of Vertex AI."
  permissions = [
    "aiplatform.pipelineJobs.create",
    # A run of the same id may be there already: it is looked up, for its creation time.
    "aiplatform.pipelineJobs.get",
  ]

  depends_on = [google_project_service.enabled]
}

resource "google_project_iam_member" "trigger_submits" {
  project = var.project
  role    = google_project_iam_custom_role.submits.id
  member  = google_service_account.trigger.member
}

# A run that is to be done by the pipeline's account may be started only by who may act as it. On that account alone.
resource "google_service_account_iam_member" "trigger_acts_as_pipeline" {
  service_account_id = google_service_account.pipeline.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.trigger.member
}

# Permanently invalid messages are published there with the reason.
resource "google_pubsub_topic_iam_member" "trigger_publishes_dead_letters" {
  topic  = google_pubsub_topic.dead_letters.id
  role   = "roles/pubsub.publisher"
  member = google_service_account.trigger.member
}

# Claims are created and read, never changed or deleted. Beside them and incidents, nothing of the store can be read.
resource "google_storage_bucket_iam_member" "trigger_claims" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = google_storage_bucket.store.name
  role   = each.value
  member = google_service_account.trigger.member

  condition {
    title       = "claims only"
    description = "Objects of the folder in which runs are claimed."
    expression  = "resource.name.startsWith(\"projects/_/buckets/${var.store_bucket}/objects/${local.claims}/\")"
  }
}

# Incidents of monitoring are read, and what was started for them is noted in a file of its own each time.
resource "google_storage_bucket_iam_member" "trigger_incidents" {
  for_each = toset(["roles/storage.objectCreator", "roles/storage.objectViewer"])

  bucket = google_storage_bucket.store.name
  role   = each.value
  member = google_service_account.trigger.member

  condition {
    title       = "incidents only"
    description = "Objects of the folder that has the incidents of monitoring."
    expression  = "resource.name.startsWith(\"projects/_/buckets/${var.store_bucket}/objects/${local.incidents}/\")"
  }
}

# What is submitted is recorded beside what the run's tasks record: files are created, never read, changed or deleted.
resource "google_storage_bucket_iam_member" "trigger_records" {
  bucket = google_storage_bucket.store.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.trigger.member

  condition {
    title       = "records of runs only"
    description = "Objects of the folder in which runs are recorded."
    expression  = "resource.name.startsWith(\"projects/_/buckets/${var.store_bucket}/objects/${local.runs}/\")"
  }
}

# Listing is a right on the bucket, which no condition on objects can narrow. It shows names, and no contents.
resource "google_storage_bucket_iam_member" "trigger_lists" {
  bucket = google_storage_bucket.store.name
  role   = "roles/storage.legacyBucketReader"
  member = google_service_account.trigger.member
}
