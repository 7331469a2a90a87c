output "images" {
  description = "Where images are pushed to."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "pipelines" {
  description = "Where compiled pipelines are pushed to: `targets.vertex.template_repository` in retrain.yaml."
  value       = "https://${var.region}-kfp.pkg.dev/${var.project}/${google_artifact_registry_repository.pipelines.repository_id}"
}

output "store" {
  description = "`store` in retrain.yaml."
  value       = local.store
}

output "pipeline_service_account" {
  description = "Account of the tasks: `targets.vertex.service_account` in retrain.yaml."
  value       = google_service_account.pipeline.email
}

output "worker_service_account" {
  description = "Account of Dataflow's workers: the option `service_account_email` in retrain.yaml's section `engine`; empty without `dataflow`."
  value       = join("", google_service_account.workers[*].email)
}

output "topic" {
  description = "Topic that starts runs."
  value       = google_pubsub_topic.messages.id
}

output "alert_channel" {
  description = "Notification channel for alert policies that shall start a retrain."
  value       = google_monitoring_notification_channel.trigger.name
}

output "dead_letters" {
  description = "Subscription that dead letters lie in."
  value       = google_pubsub_subscription.dead_letters.id
}

output "service" {
  description = "Address of the trigger service, and the audience of push tokens."
  value       = local.url
}
