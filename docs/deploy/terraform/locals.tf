locals {
  deployed = var.image == "" ? 0 : 1

  tasks_image = var.tasks_image == "" ? var.image : var.tasks_image

  service = "${var.name}-trigger"

  # Cloud Run's address that is known before the service is there. The service must know it to check the audience of
  # push tokens, and the address that the service itself reports would be known only once it runs.
  url = "https://${local.service}-${data.google_project.this.number}.${var.region}.run.app"

  store = "gs://${var.store_bucket}/${var.store_folder}"

  # Where the trigger service claims runs (`trigger_service.claims`), and where it finds the incidents that ask for one:
  # all that it may read in the store.
  claims    = "${var.store_folder}/claims"
  incidents = "${var.store_folder}/monitoring/incidents"
  # Where it may create files, besides: records of what it submits.
  runs = "${var.store_folder}/runs"

  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
