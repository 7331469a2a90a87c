data "google_storage_bucket" "data" {
  name = var.data_bucket
}

resource "google_storage_bucket" "store" {
  name     = var.store_bucket
  location = var.region

  # Grants are made on the bucket alone: no object has a list of its own.
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # What a hand deletes by mistake can be had back for a week.
  soft_delete_policy {
    retention_duration_seconds = 7 * 24 * 3600
  }

  # Claims that nobody has written to for longer than a message is kept. The trigger service may not delete any.
  lifecycle_rule {
    condition {
      age            = 45
      matches_prefix = ["${local.claims}/"]
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.enabled]
}

# Cloud Storage publishes as this account, which exists from the moment that somebody asks for it.
data "google_storage_project_service_account" "agent" {
  depends_on = [google_project_service.enabled]
}

resource "google_storage_notification" "data" {
  bucket         = data.google_storage_bucket.data.name
  topic          = google_pubsub_topic.messages.id
  payload_format = "JSON_API_V1"
  # An object that is whole: created, copied, or overwritten.
  event_types        = ["OBJECT_FINALIZE"]
  object_name_prefix = var.data_prefix == "" ? null : var.data_prefix

  # Cloud Storage refuses a notification to a topic that it can't publish to.
  depends_on = [google_pubsub_topic_iam_member.storage_publishes]
}
