# A policy of yours that names this channel starts a retrain, by a trigger of kind alert.
resource "google_monitoring_notification_channel" "trigger" {
  display_name = "${var.name}: start a retrain"
  type         = "pubsub"

  labels = {
    topic = google_pubsub_topic.messages.id
  }
}

# The policies below notify people: a retrain would fix none of it.

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
    content   = "Messages lie in the subscription `${google_pubsub_subscription.dead_letters.name}`. Their attribute `retrainer-reason` says why."
  }

  depends_on = [google_project_service.enabled]
}

# Messages that fail, apart from those that only wait: the service logs the outcome of each.
resource "google_logging_metric" "failed" {
  count = local.deployed

  name        = "${var.name}-failed-messages"
  description = "Deliveries of messages that failed and will be tried again."
  filter      = "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${local.service}\" AND jsonPayload.result = \"failed\""

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.enabled]
}

resource "google_monitoring_alert_policy" "failing" {
  count = local.deployed

  display_name          = "${var.name}: messages fail"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = "Messages have failed for three hours"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.failed[0].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "10800s"

      # A message that fails is tried again every ten minutes at the latest.
      aggregations {
        alignment_period     = "1800s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The logs of `${local.service}` with `jsonPayload.result=\"failed\"` say why. The messages are kept and tried again; once the cause is fixed, nothing else is to be done. After 30 days they become dead letters."
  }
}

# Pushes that the service never sees (it does not start, or their token is refused) leave no such line.
resource "google_monitoring_alert_policy" "backlog" {
  count = local.deployed

  display_name          = "${var.name}: messages wait"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = "A message has waited for ${var.longest_wait_hours} hours"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.push[0].name}\" AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.longest_wait_hours * 3600
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The logs of `${local.service}` say why messages are deferred or fail; without such lines, pushes do not reach it, and its requests say why. If a trigger's `daily_limit` or `cool_down_seconds` lets messages wait that long, raise `longest_wait_hours`. After 30 days they become dead letters."
  }
}
