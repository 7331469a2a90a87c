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
  ack_deadline_seconds = 60
  # 31 days, the longest that Pub/Sub keeps a message: one that waits for a daily limit may wait for days.
  message_retention_duration = "2678400s"

  push_config {
    push_endpoint = "${local.url}/push"

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = local.url
    }
  }

  # A message that waits (for more files of its span, a cool-down, a daily limit) is nacked until it is due. There is no
  # dead-letter policy: it counts deliveries, and would give up a message that only waits. Invalid messages, and what
  # has failed for 30 days, are published by the service itself to the dead-letter topic, with the reason.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = ""
  }

  # Without it the first push would be refused.
  depends_on = [google_cloud_run_v2_service_iam_member.push_invokes]
}
