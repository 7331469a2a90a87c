# Who may publish, and what Pub/Sub itself may do.

# Cloud Storage's own account publishes new objects to the topic.
resource "google_pubsub_topic_iam_member" "storage_publishes" {
  topic  = google_pubsub_topic.messages.id
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:${data.google_storage_project_service_account.agent.email_address}"
}

# Cloud Monitoring publishes incidents to the topic, once a policy uses the channel. The channel makes Google make the account.
resource "google_pubsub_topic_iam_member" "monitoring_publishes" {
  topic  = google_pubsub_topic.messages.id
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"

  depends_on = [google_monitoring_notification_channel.trigger]
}

# People and services that ask for runs.
resource "google_pubsub_topic_iam_member" "requests" {
  for_each = var.request_publishers

  topic  = google_pubsub_topic.messages.id
  role   = "roles/pubsub.publisher"
  member = each.value
}

# Pub/Sub signs the tokens of pushes in the name of this account, and of no other.
resource "google_service_account_iam_member" "pubsub_signs_as_push" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.pubsub_agent
}

# The only caller of the service. There is no grant to allUsers, and none to all of the project's accounts.
resource "google_cloud_run_v2_service_iam_member" "push_invokes" {
  count = local.deployed

  name     = google_cloud_run_v2_service.trigger[0].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}
