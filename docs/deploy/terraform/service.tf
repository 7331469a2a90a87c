resource "google_cloud_run_v2_service" "trigger" {
  count = local.deployed

  name     = local.service
  location = var.region

  # Pub/Sub of the same project counts as internal. Nobody else reaches the service at all, whatever token they have.
  ingress = "INGRESS_TRAFFIC_INTERNAL_ONLY"

  # Cloud Run checks a token's audience, too, and must know this one.
  custom_audiences = concat([local.url], var.extra_audiences)

  # It holds no state: what it must remember is in the store and on Vertex AI.
  deletion_protection = false

  template {
    service_account = google_service_account.trigger.email

    # As long as Pub/Sub waits for an answer. An instance that Cloud Run takes away gets 10 seconds to finish; what it
    # can't finish is delivered again, and a run that it had started is found by its name.
    timeout                          = "60s"
    max_instance_request_concurrency = 80

    scaling {
      min_instance_count = var.min_instances
      max_instance_count = var.max_instances
    }

    containers {
      image = var.image

      # The service's own image has no TensorFlow. Both digests stand side by side, so that they change together.
      args = ["retrainer", "trigger", "serve", "/config/retrain.yaml", "--to", "vertex", "--image", local.tasks_image]

      ports {
        container_port = 8080
      }

      resources {
        limits = {
          cpu    = "1"
          memory = "1Gi"
        }
        # Between requests there is nothing to do, and nothing to pay.
        cpu_idle          = true
        startup_cpu_boost = true
      }

      # Cloud Run's own front end keeps some paths that end in z from callers; a probe goes past it.
      startup_probe {
        http_get {
          path = "/readyz"
        }
        period_seconds    = 5
        timeout_seconds   = 4
        failure_threshold = 24
      }

      liveness_probe {
        http_get {
          path = "/healthz"
        }
        period_seconds    = 30
        timeout_seconds   = 5
        failure_threshold = 3
      }

      dynamic "env" {
        for_each = {
          RETRAINER_VERTEX_PROJECT         = var.project
          RETRAINER_VERTEX_REGION          = var.region
          RETRAINER_VERTEX_PIPELINE_ROOT   = "${local.store}/pipeline_root"
          RETRAINER_VERTEX_SERVICE_ACCOUNT = google_service_account.pipeline.email
          # Cloud Run's IAM has checked each token's signature, and replaced it, before the service sees it.
          RETRAINER_TRIGGER_AUTH              = "iam"
          RETRAINER_TRIGGER_AUDIENCE          = join(",", concat([local.url], var.extra_audiences))
          RETRAINER_TRIGGER_PUSH_ACCOUNT      = google_service_account.push.email
          RETRAINER_TRIGGER_DEAD_LETTER_TOPIC = google_pubsub_topic.dead_letters.id
          RETRAINER_TRIGGER_CLAIMS            = "gs://${var.store_bucket}/${local.claims}"
        }
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  # The start-up probe fails as long as the service may not ask Vertex AI or write its claims.
  depends_on = [
    google_project_iam_member.trigger_submits,
    google_service_account_iam_member.trigger_acts_as_pipeline,
    google_storage_bucket_iam_member.trigger_claims,
    google_storage_bucket_iam_member.trigger_lists,
  ]
}
