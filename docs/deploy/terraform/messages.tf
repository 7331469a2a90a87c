resource "google_pubsub_topic" "messages" {
  name = "${var.name}-messages"

  depends_on = [google_project_service.enabled]
}

resource "google_pubsub_topic" "dead_letters" {
  name = "${var.name}-dead-letters"

  depends_on = [google_project_service.enabled]
}

# A topic keeps nothing by itself: without a subscription, dead letters would be lost.
resource "google_pubsub_subscription" "dead_letters" {
  name  = "${var.name}-dead-letters"
  topic = google_pubsub_topic.dead_letters.id

  ack_deadline_seconds = 600
  # 31 days, the longest that Pub/Sub keeps a message.
  message_retention_duration = "2678400s"

  # Never: a subscription without a reader is what this one is in good times.
  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "push" {
  count = local.deployed

  name  = "${var.name}-push"
  topic = google_pubsub_topic.messages.id

  # The longest that one request may take: a cold start of the service and a submission to Vertex AI fit in.
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  push_config {
    push_endpoint = "${local.url}/push"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = local.url
    }
  }

  # A message that waits (a coalescing window, a cool-down) is refused until its time has come, and each refusal counts
  # as an attempt. 100 is the most that Pub/Sub takes: with the waits below about 15 hours.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 100
  }

  expiration_policy {
    ttl = ""
  }

  # Without them the first message that fails would stay for ever, and the first push would be refused.
  depends_on = [
    google_cloud_run_v2_service_iam_member.push_invokes,
    google_pubsub_topic_iam_member.pubsub_publishes_dead_letters,
  ]
}
