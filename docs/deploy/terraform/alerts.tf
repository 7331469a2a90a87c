# A policy of yours that names this channel starts a retrain, by a trigger of kind alert.
resource "google_monitoring_notification_channel" "trigger" {
  display_name = "${var.name}: start a retrain"
  type         = "pubsub"

  labels = {
    topic = google_pubsub_topic.messages.id
  }
}

# The policies below tell people: a retrain would mend neither.

resource "google_monitoring_alert_policy" "dead_letters" {
  display_name          = "${var.name}: dead letters"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = "A message was given up"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letters.name}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Messages lie in the subscription `${google_pubsub_subscription.dead_letters.name}`. Their attribute `retrainer-reason` says why; without one, they failed 100 times, and the logs of `${local.service}` say why."
  }

  depends_on = [google_project_service.enabled]
}

resource "google_monitoring_alert_policy" "backlog" {
  count = local.deployed

  display_name          = "${var.name}: messages wait"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = "A message has waited for 12 hours"

    condition_threshold {
      filter     = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.push[0].name}\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison = "COMPARISON_GT"
      # Three hours before Pub/Sub gives it up.
      threshold_value = 12 * 3600
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The logs of `${local.service}` say why messages are deferred or fail. After 100 attempts, about 15 hours, they become dead letters."
  }
}
