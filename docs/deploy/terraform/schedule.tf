# A schedule that goes through the trigger service: its cool-down and daily limit hold, and a slot that Cloud Scheduler
# delivers twice is one run. `retrainer schedule create` makes Vertex AI's own schedule instead, which needs no service.
resource "google_cloud_scheduler_job" "messages" {
  count = var.schedule == "" ? 0 : 1

  name      = "${var.name}-${var.schedule_trigger}"
  region    = var.region
  schedule  = var.schedule
  time_zone = var.schedule_time_zone

  pubsub_target {
    topic_name = google_pubsub_topic.messages.id
    attributes = {
      "retrainer-trigger" = var.schedule_trigger
    }
  }

  depends_on = [google_project_service.enabled]
}
