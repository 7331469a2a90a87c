# Three accounts, because each does one thing: Pub/Sub calls the service, the service starts runs, and runs do the work.

resource "google_service_account" "push" {
  account_id   = "${var.name}-push"
  display_name = "Pub/Sub calls retrainer's trigger service as this account."

  depends_on = [google_project_service.enabled]
}

resource "google_service_account" "trigger" {
  account_id   = "${var.name}-trigger"
  display_name = "retrainer's trigger service: starts pipeline runs."

  depends_on = [google_project_service.enabled]
}

resource "google_service_account" "pipeline" {
  account_id   = "${var.name}-pipeline"
  display_name = "Tasks of retrainer's pipelines: read data, train, write the store."

  depends_on = [google_project_service.enabled]
}
